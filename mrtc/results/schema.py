"""What a results file may hold: every variable with its dimensions, unit and source, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

FORMAT = "mrtc-results"
VERSION = 2
"""Rises when an older reader would misread the file; a new variable does not raise it."""

VERSION_WITHOUT_GROUPS = 1
"""Of files of models that are no hierarchies, which older readers read as well. To those, the codes
of one group, which a file of a hierarchy keeps, would be all codes."""

Dimension = Literal["seed", "beta", "run", "code", "factor", "example", "group"]


@dataclass(frozen=True)
class Variable:
    """One array of a results file, and what a reader must know to use it."""

    name: str
    dims: tuple[Dimension, ...]
    unit: str
    """``nats``, ``bits per dimension``, ``count``, or ``1`` for a number without unit."""
    long_name: str
    source: str
    """Where the quantity is defined: a paper, or ``data`` for what was given."""
    direction: Literal["higher is better", "lower is better", ""] = ""
    """For scores and for what a model is trained to make small; empty for the rest."""
    group: str = "metrics"
    dtype: str = "f8"


BAE = "Bae et al., Multi-Rate VAE, ICLR 2023"
BOWMAN = "Bowman et al., Generating Sentences from a Continuous Space, CoNLL 2016"
BURDA = "Burda et al., Importance Weighted Autoencoders, ICLR 2016"
CHEN = "Chen et al., Isolating Sources of Disentanglement, NeurIPS 2018"
KINGMA = "Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014"
THEIS = "Theis et al., A Note on the Evaluation of Generative Models, ICLR 2016"
VAHDAT = "Vahdat and Kautz, NVAE, NeurIPS 2020"

HIGHER: Final = "higher is better"
LOWER: Final = "lower is better"

VARIABLES: dict[str, Variable] = {
    variable.name: variable
    for variable in (
        Variable("rate", ("beta",), "nats", "rate, mean over examples", BAE),
        Variable("rate_error", ("beta",), "nats", "standard error of the rate's mean", BAE),
        Variable(
            "rate_code", ("beta", "code"), "nats", "rate of each code, mean over examples", BAE
        ),
        Variable(
            "rate_group",
            ("beta", "group"),
            "nats",
            "rate of each latent group, mean over examples",
            VAHDAT,
        ),
        Variable("distortion", ("beta",), "nats", "distortion, mean over examples", BAE, LOWER),
        Variable(
            "distortion_error", ("beta",), "nats", "standard error of the distortion's mean", BAE
        ),
        Variable(
            "elbo", ("beta",), "nats", "evidence lower bound, mean over examples", KINGMA, HIGHER
        ),
        Variable(
            "importance_weighted_bound",
            ("beta",),
            "nats",
            "importance-weighted bound, mean over examples",
            BURDA,
            HIGHER,
        ),
        Variable(
            "importance_weighted_bound_error",
            ("beta",),
            "nats",
            "standard error of the importance-weighted bound's mean",
            BURDA,
        ),
        Variable(
            "perplexity",
            ("beta",),
            "1",
            "perplexity of a token, by the evidence lower bound: at most",
            BOWMAN,
            LOWER,
        ),
        Variable(
            "importance_weighted_perplexity",
            ("beta",),
            "1",
            "perplexity of a token, by the importance-weighted bound: at most",
            BOWMAN,
            LOWER,
        ),
        Variable(
            "rate_bits_per_dimension",
            ("beta",),
            "bits per dimension",
            "rate for each entry of an example, mean over examples",
            BAE,
        ),
        Variable(
            "distortion_bits_per_dimension",
            ("beta",),
            "bits per dimension",
            "distortion for each entry of an example, mean over examples",
            BAE,
            LOWER,
        ),
        Variable(
            "bits_per_dimension",
            ("beta",),
            "bits per dimension",
            "bits for each entry of an example, by the evidence lower bound: at most",
            THEIS,
            LOWER,
        ),
        Variable(
            "effective_samples",
            ("beta",),
            "count",
            "effective importance samples, mean over examples",
            "Kish, Survey Sampling, 1965",
        ),
        Variable("active_units", ("beta",), "count", "active units", BURDA),
        Variable(
            "active_units_group",
            ("beta", "group"),
            "count",
            "active units of each latent group",
            BURDA,
        ),
        Variable(
            "code_variance",
            ("beta", "code"),
            "1",
            "variance of the posterior mean over examples",
            BURDA,
        ),
        Variable("mig_chen", ("beta",), "1", "mutual information gap, Chen", CHEN, HIGHER),
        Variable(
            "mig_chen_factor",
            ("beta", "factor"),
            "1",
            "mutual information gap of each factor, Chen",
            CHEN,
            HIGHER,
        ),
        Variable(
            "information",
            ("beta", "code", "factor"),
            "nats",
            "mutual information of code and factor",
            CHEN,
        ),
        Variable(
            "information_error",
            ("beta", "code", "factor"),
            "nats",
            "standard error of the sampled mutual information",
            CHEN,
        ),
        Variable(
            "code_entropy", ("beta", "code"), "nats", "differential entropy of each code", CHEN
        ),
        Variable("factor_entropy", ("factor",), "nats", "entropy of each factor", CHEN),
        Variable(
            "mean",
            ("beta", "example", "code"),
            "1",
            "mean of the posterior",
            KINGMA,
            group="moments",
            dtype="f4",
        ),
        Variable(
            "log_sigma",
            ("beta", "example", "code"),
            "1",
            "log of the posterior's standard deviation",
            KINGMA,
            group="moments",
            dtype="f4",
        ),
    )
}
"""What an evaluation may write, by name. Floats; NaN where a beta is not evaluated yet."""

CLASSES = Variable(
    "classes",
    ("example", "factor"),
    "1",
    "class of each factor",
    "data",
    group="moments",
    dtype="i4",
)
"""Written once, with the examples themselves."""


def unit_of(variable: Variable, config: Mapping[str, Any]) -> str:
    """The unit of ``variable`` in results of a run with ``config``.

    A distortion is in nats where the likelihood is one of probabilities; a squared error is not.
    """
    is_squared = config.get("likelihood") == "squared_error"
    if is_squared and variable.name in ("distortion", "distortion_error"):
        return "squared error"
    return variable.unit
