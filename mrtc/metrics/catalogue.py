"""Every score there is: what it is called, its unit and range, what it needs, where it is defined.

Tables, plot labels, results files and the documentation read this. What computes a score stands in
:mod:`mrtc.metrics.scorecard`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from mrtc.errors import MrtcError

Need = Literal["sigma", "factors", "decoder", "models"]
"""What a score reads beside posterior means: sigmas, class indices of factors or attributes, the
decoder's likelihood, or the codes of several models."""

Direction = Literal["higher is better", "lower is better", ""]

HIGHER: Direction = "higher is better"
NEITHER: Direction = ""

BINKOWSKI = "Binkowski et al., Demystifying MMD GANs, ICLR 2018"
BURDA = "Burda et al., Importance Weighted Autoencoders, ICLR 2016"
CHEN = "Chen et al., Isolating Sources of Disentanglement, NeurIPS 2018"
DO = "Do and Tran, Theory and Evaluation Metrics for Disentangled Representations, ICLR 2020"
DUAN = "Duan et al., Unsupervised Model Selection for Variational Disentangling, ICLR 2020"
EASTWOOD = "Eastwood and Williams, Quantitative Evaluation of Disentanglement, ICLR 2018"
HEUSEL = "Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017"
HIGGINS = "Higgins et al., beta-VAE, ICLR 2017"
HOFFMAN = "Hoffman and Johnson, ELBO surgery, NeurIPS 2016 workshop"
HSU = "Hsu et al., Disentanglement via Latent Quantization, NeurIPS 2023"
KIM = "Kim and Mnih, Disentangling by Factorising, ICML 2018"
KINGMA = "Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014"
KUMAR = "Kumar et al., Variational Inference of Disentangled Latent Concepts, ICLR 2018"
LI = "Li et al., Progressive Learning and Disentanglement, ICLR 2020"
LOCATELLO = "Locatello et al., Challenging Common Assumptions, ICML 2019"
OURS = "mrtc"
RIDGEWAY = "Ridgeway and Mozer, Learning Deep Disentangled Embeddings, NeurIPS 2018"
ROY = "Roy and Vetterli, The effective rank, EUSIPCO 2007"
SEPLIARSKAIA = "Sepliarskaia et al., How to Not Measure Disentanglement, 2019"
SUTER = "Suter et al., Robustly Disentangled Causal Mechanisms, ICML 2019"


@dataclass(frozen=True)
class Metric:
    """One score, without what computes it."""

    name: str
    """As in results files, options and tables; the variant is part of it."""
    title: str
    """In words, for pictures."""
    family: str
    """Page of the documentation that explains it."""
    source: str
    needs: tuple[Need, ...] = ("factors",)
    unit: str = "1"
    """``nats``, ``count``, or ``1`` for a number without unit."""
    low: float = 0.0
    high: float = 1.0
    direction: Direction = HIGHER

    @property
    def range(self) -> str:
        """Lowest and highest value there can be, in words."""
        return f"{_bound(self.low)} to {_bound(self.high)}"


GAPS, PROBES, SAMPLED, INFORMATION, RATES, MODELS, REALISM = (
    "gaps",
    "probes",
    "interventions",
    "information",
    "rates",
    "models",
    "realism",
)

Distance = Literal["frechet", "kernel"]
"""Of samples from data, in the features of a network."""


def distance_metric(distance: Distance, network: str) -> Metric:
    """A distance in the features of one network; FID and KID are those of Inception alone.

    Args:
        distance: Which of the two.
        network: Its name, for example ``efficientnet-lite0``.
    """
    is_frechet = distance == "frechet"
    name = f"{distance}_{network.replace('-', '_')}"
    title = f"{'Frechet' if is_frechet else 'kernel'} distance, {network}"
    if network == "inception":
        name, title = ("fid", "FID") if is_frechet else ("kid", "KID")
    return Metric(
        name,
        title,
        REALISM,
        HEUSEL if is_frechet else BINKOWSKI,
        ("decoder",),
        low=0.0 if is_frechet else -math.inf,  # the kernel distance is unbiased
        high=math.inf,
        direction="lower is better",
    )


DISTANCES: dict[str, tuple[Distance, str]] = {
    distance_metric(distance, network).name: (distance, network)
    for network in ("inception", "efficientnet-lite0")
    for distance in get_args(Distance)
}
"""Names of the distances from data, each with its kind and its network."""

_METRICS = (
    Metric("mig_chen", "MIG, Chen", GAPS, CHEN, ("sigma", "factors")),
    Metric("mig_chen_sampling", "MIG, Chen, sampled entropies", GAPS, CHEN, ("sigma", "factors")),
    Metric("mig_locatello", "MIG, 20 equal bins", GAPS, LOCATELLO),
    Metric("mig_quantile", "MIG, 20 quantile bins", GAPS, OURS),
    Metric("mig_sup", "MIG-sup", GAPS, LI),
    Metric("dcimig", "DCIMIG", GAPS, SEPLIARSKAIA),
    Metric("jemmig", "JEMMIG, normalised", GAPS, DO),
    Metric("sap_discrete", "SAP, linear SVM", PROBES, KUMAR),
    Metric("sap_continuous", "SAP, squared correlation", PROBES, KUMAR),
    Metric("dci_gbt_disentanglement", "DCI disentanglement, boosted trees", PROBES, EASTWOOD),
    Metric("dci_gbt_completeness", "DCI completeness, boosted trees", PROBES, EASTWOOD),
    Metric("dci_gbt_informativeness", "DCI informativeness, boosted trees", PROBES, EASTWOOD),
    Metric("dci_fast_disentanglement", "DCI disentanglement, fast", PROBES, OURS),
    Metric("dci_fast_completeness", "DCI completeness, fast", PROBES, OURS),
    Metric("dci_fast_informativeness", "DCI informativeness, fast", PROBES, OURS),
    Metric("explicitness", "explicitness", PROBES, RIDGEWAY),
    Metric("info_e", "InfoE", PROBES, HSU),
    Metric("modularity", "modularity", INFORMATION, RIDGEWAY),
    Metric("info_m", "InfoM", INFORMATION, HSU),
    Metric("info_c", "InfoC", INFORMATION, HSU),
    Metric("factor_vae", "FactorVAE score", SAMPLED, KIM),
    Metric("beta_vae", "BetaVAE score", SAMPLED, HIGGINS),
    Metric("irs", "IRS", SAMPLED, SUTER),
    Metric("udr", "UDR", MODELS, DUAN, ("models",)),
    Metric("active_units", "active units", RATES, BURDA, (), "count", 0.0, math.inf, NEITHER),
    Metric(
        "soft_active_units",
        "codes above 0.01 nats",
        RATES,
        OURS,
        ("sigma",),
        "count",
        0.0,
        math.inf,
        NEITHER,
    ),
    Metric(
        "effective_dimension",
        "effective dimension of the rate",
        RATES,
        ROY,
        ("sigma",),
        "count",
        1.0,
        math.inf,
        NEITHER,
    ),
    Metric("rate", "rate", RATES, KINGMA, ("sigma",), "nats", 0.0, math.inf, NEITHER),
    Metric(
        "index_code_mi", "index-code MI", RATES, HOFFMAN, ("sigma",), "nats", 0.0, math.inf, NEITHER
    ),
    Metric(
        "total_correlation",
        "total correlation",
        RATES,
        CHEN,
        ("sigma",),
        "nats",
        0.0,
        math.inf,
        "lower is better",
    ),
    Metric(
        "dimensionwise_kl",
        "dimension-wise KL",
        RATES,
        CHEN,
        ("sigma",),
        "nats",
        0.0,
        math.inf,
        NEITHER,
    ),
    Metric(
        "distortion",
        "distortion",
        RATES,
        KINGMA,
        ("decoder",),
        "nats",
        0.0,
        math.inf,
        "lower is better",
    ),
    Metric(
        "elbo",
        "evidence lower bound, at beta 1",
        RATES,
        KINGMA,
        ("sigma", "decoder"),
        "nats",
        -math.inf,
        math.inf,
    ),
    Metric(
        "importance_weighted_bound",
        "importance-weighted bound",
        RATES,
        BURDA,
        ("sigma", "decoder"),
        "nats",
        -math.inf,
        math.inf,
    ),
    *(distance_metric(distance, network) for distance, network in DISTANCES.values()),
)

CATALOGUE: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
"""By name."""

SLOW = (
    "mig_chen_sampling",
    "dci_gbt_disentanglement",
    "dci_gbt_completeness",
    "dci_gbt_informativeness",
)
"""Half a minute and more for one beta; ``all`` leaves them out, and their names ask for them."""

_USUAL = [m.name for m in _METRICS if m.name not in SLOW and not {"decoder", "models"} & {*m.needs}]


def choose(names: str | Iterable[str]) -> tuple[str, ...]:
    """The metrics that ``all``, names or families mean.

    ``all`` is what codes and factors of one model suffice for, without the slow ones; a family is
    its part of that.

    Raises:
        MrtcError: If a name is unknown.
    """
    asked = names.split(",") if isinstance(names, str) else list(names)
    chosen: list[str] = []
    for name in (name.strip() for name in asked):
        if name == "all":
            chosen += _USUAL
        elif name in CATALOGUE:
            chosen.append(name)
        elif any(metric.family == name for metric in _METRICS):
            family = [metric.name for metric in _METRICS if metric.family == name]
            chosen += [usual for usual in family if usual in _USUAL] or family
        else:
            raise MrtcError(
                f"there is no metric {name!r}; choose among all, families "
                f"({', '.join(dict.fromkeys(m.family for m in _METRICS))}) and names "
                f"({', '.join(CATALOGUE)})"
            )
    return tuple(dict.fromkeys(chosen))


def _bound(value: float) -> str:
    return f"{value:g}" if math.isfinite(value) else "any"
