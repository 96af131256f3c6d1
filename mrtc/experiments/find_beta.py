"""The beta of a checkpoint that meets a target: what is measured at a beta, and the search."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int

from mrtc.datasets.dsprites import CHEN_FACTORS
from mrtc.datasets.examples import AttributeExamples, Dataset, Examples, FactorExamples
from mrtc.devices import Precision, resolve_device, resolve_precision
from mrtc.errors import CheckpointError, MrtcError
from mrtc.evaluation import EvaluationConfig, PosteriorEncoder
from mrtc.evaluation.decode import PosteriorDecoder
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism import BATCH, RealismConfig
from mrtc.evaluation.search import (
    REFINE,
    SCAN,
    SCAN_FOR_BEST,
    Found,
    Quantity,
    find_at_most,
    find_best,
    find_count,
    find_target,
)
from mrtc.evaluation.sweep import ACTIVE_VARIANCE
from mrtc.experiments.data import DATASETS, load_for, load_images
from mrtc.experiments.run import load_vae
from mrtc.metrics.active_units import code_variance
from mrtc.metrics.catalogue import CATALOGUE, DISTANCES, distance_metric
from mrtc.metrics.frechet import FeatureMoments, frechet_score
from mrtc.metrics.rate_distortion import rate_per_example, standard_error
from mrtc.metrics.scorecard import Representation, computations, compute
from mrtc.progress import Progress
from mrtc.randomness import numpy_stream, torch_stream
from mrtc.rates import BetaRange
from mrtc.results import VARIABLES, unit_of
from mrtc.vae import VAE

MOST_EXAMPLES = 2000
"""Measured on unless another number is asked for."""

FOLDS = 10
"""Parts of the examples that are left out in turn, for the error of what is no mean."""

LEAST_LOG_VARIANCE = 2 * math.log(ACTIVE_VARIANCE)
"""Collapsed codes are all alike to a search: one that has no variance at all would stretch it."""

ALIASES = {"mig": "mig_chen"}

Moments = tuple[Float32[np.ndarray, "example code"], Float32[np.ndarray, "example code"]]


@dataclass(frozen=True)
class Goal:
    """What a beta is to give."""

    quantity: str
    """Of the catalogue: ``rate``, ``distortion``, ``active_units``, ``fid``, ``mig_chen`` …"""
    target: float | None = None
    """Its value; ``None`` for the best there is."""
    is_bound: bool = False
    """Whether all up to the target will do, and the largest such beta is wanted."""


def find_beta(
    checkpoint: Path | str,
    goal: Goal,
    *,
    within: BetaRange | None = None,
    data: Path | str | None = None,
    part: str | None = None,
    examples: int | None = None,
    network: FeatureNetwork | None = None,
    realism: RealismConfig | None = None,
    reference_part: str | None = None,
    seed: int = 0,
    device: torch.device | str = "auto",
    precision: Precision = "auto",
    quiet: bool = False,
) -> Found:
    """The beta of a multi-rate model that meets a goal, with an interval from the noise.

    Every beta sees the same examples and the same draws, so curves are smooth; ``mrtc eval`` with
    as many examples and the same seed gives the same values. See :mod:`mrtc.evaluation.search` for
    what a search sees and what it can miss.

    Args:
        checkpoint: As ``mrtc train`` wrote it, of a multi-rate model.
        goal: What is wanted.
        within: Betas to search; the trained range if left out.
        data: The dataset's official file, where it is at hand.
        part: Of the dataset's split; the test part by default, where there is one.
        examples: How many are measured on, a stratified subset; 2,000 by default, or all where
            there are fewer.
        network: In whose features, for a distance of samples from data.
        realism: Numbers of samples and of examples, for such a distance; its seed is passed over.
        reference_part: Of the split, for such a distance; that for training by default.
        seed: Of the subset and of all draws.
        device: Where to compute; the GPU, by default, where there is one.
        precision: Of the encoder's matrix products.
        quiet: Show no progress.

    Raises:
        CheckpointError: If the checkpoint cannot be used, or is a baseline.
        BetaError: If ``within`` leaves the trained range.
        DataError: If the data cannot be had.
        MrtcError: If the goal cannot be met, or its quantity not be measured.
    """
    device = resolve_device(device)
    vae, config, loaded = load_vae(checkpoint)
    if config.is_baseline:
        raise CheckpointError(
            f"{checkpoint} is a baseline, trained at beta {config.betas} alone, so there is no "
            "beta to find; give a multi-rate checkpoint, or measure this one with `mrtc eval`"
        )
    within = within or config.betas
    config.betas.require([within.low, within.high])
    name = ALIASES.get(goal.quantity, goal.quantity)
    _check(name, goal)
    vae = vae.to(device)
    quantity: Quantity | ActiveUnits
    if name in DISTANCES:
        if network is None:
            raise ValueError(f"{name} needs a feature network; give one as network")
        realism = realism or RealismConfig()
        reference = load_images(config, data, device, part=reference_part, quiet=quiet)
        quantity = FrechetOfSamples(vae, network, reference, realism, seed, device, quiet=quiet)
    else:
        part = part or DATASETS[config.dataset].default_part
        dataset = load_for(
            config, data, device, part=part, vocabulary=loaded.vocabulary, quiet=quiet
        )
        asked = _number(examples, len(dataset))
        model = Measured(
            *(vae, dataset, asked, seed),
            device=device,
            precision=resolve_precision(precision, device),
            quiet=quiet,
        )
        unit = CATALOGUE[name].unit
        if name == "distortion":
            unit = unit_of(VARIABLES[name], {"likelihood": config.likelihood})
        if name == "active_units":
            quantity = ActiveUnits(model)
        elif name in PER_EXAMPLE:
            quantity = MeanOfExamples(model, name, unit)
        else:
            quantity = ScoreOfCodes(model, name, *_known(config.dataset, dataset, name, model))
    return _search(quantity, goal, within, quiet=quiet)


class Measured:
    """A model on some examples: moments and distortions at any beta, moments kept.

    Args:
        vae: The model, on ``device``.
        examples: The dataset, on ``device``.
        count: How many of them, a stratified subset where there are factors.
        seed: Of the subset, of draws and of scores.
        device: Where to compute.
        precision: Of the encoder's matrix products.
        quiet: Show no progress.
    """

    def __init__(
        self,
        vae: VAE,
        examples: Examples,
        count: int,
        seed: int = 0,
        *,
        device: torch.device,
        precision: Precision = "auto",
        quiet: bool = False,
    ) -> None:
        grid = examples.grid if isinstance(examples, FactorExamples) else None
        config = EvaluationConfig((), count, count, seed=seed)  # the subset of an evaluation
        self.index, _ = config.choose(len(examples), grid)
        self.codes, self.seed = vae.codes, seed
        self._vae, self._examples, self._device = vae, examples, device
        self._encoder = PosteriorEncoder(
            vae, examples, self.index, device=device, precision=precision, quiet=quiet
        )
        self._moments: dict[float, Moments] = {}

    def moments(self, beta: float) -> Moments:
        """Mean and log sigma of every posterior."""
        if beta not in self._moments:
            self._moments[beta] = self._encoder.moments(beta)
        return self._moments[beta]

    def rate(self, beta: float) -> Float64[np.ndarray, " example"]:
        """Of each example, in nats."""
        return rate_per_example(*self.moments(beta))

    def distortion(self, beta: float) -> Float64[np.ndarray, " example"]:
        """Of each example, from one draw; the same noise at every beta."""
        moments = self.moments(beta)
        decoder = PosteriorDecoder(
            *(self._vae, self._examples, self.index, *moments), beta=beta, device=self._device
        )
        return decoder.distortion(self.seed)

    def elbo(self, beta: float) -> Float64[np.ndarray, " example"]:
        """Of each example, in nats."""
        elbo: Float64[np.ndarray, " example"] = -self.distortion(beta) - self.rate(beta)
        return elbo


PER_EXAMPLE: dict[str, Callable[[Measured, float], Float64[np.ndarray, " example"]]] = {
    "rate": Measured.rate,
    "distortion": Measured.distortion,
    "elbo": Measured.elbo,
}
"""Quantities that are means over examples."""


class MeanOfExamples:
    """A mean over examples, with its standard error."""

    def __init__(self, model: Measured, name: str, unit: str = "nats") -> None:
        self.name, self.unit, self._model = name, unit, model
        self._errors: dict[float, float] = {}

    def value(self, beta: float) -> float:
        """At one beta."""
        values = PER_EXAMPLE[self.name](self._model, beta)
        self._errors[beta] = standard_error(values)
        return float(values.mean())

    def error(self, beta: float) -> float:
        """Over examples; other examples of the same source would differ so much."""
        if beta not in self._errors:
            self.value(beta)
        return self._errors[beta]


class ActiveUnits:
    r"""Log variances of posterior means over their threshold: a code above 0 is active.

    The error is that of a log sample variance, :math:`\sqrt{(m_4 / s^4 - (N-3)/(N-1)) / N}` with
    the fourth central moment.
    """

    name, unit = "active_units", "count"

    def __init__(self, model: Measured) -> None:
        self.codes, self._model = model.codes, model

    def margins(self, beta: float) -> Float64[np.ndarray, " code"]:
        """The highest first."""
        variance = code_variance(self._model.moments(beta)[0])
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(variance), LEAST_LOG_VARIANCE)
        # What counts is `variance >= threshold`: its logarithm would be off by rounding.
        margins = np.where(variance == ACTIVE_VARIANCE, 0.0, logs - math.log(ACTIVE_VARIANCE))
        ordered: Float64[np.ndarray, " code"] = np.sort(margins)[::-1]
        return ordered

    def error(self, beta: float, rank: int) -> float:
        """Of the margin at this position."""
        mean = self._model.moments(beta)[0]
        variance = code_variance(mean)
        at = np.argsort(-variance)[rank]
        if variance[at] == 0:
            return 0.0
        centred = mean[:, at].astype(np.float64) - mean[:, at].mean(dtype=np.float64)
        n = len(mean)
        kurtosis = float((centred**4).mean() / variance[at] ** 2)
        return math.sqrt(max(kurtosis - (n - 3) / (n - 1), 0.0) / n)


class ScoreOfCodes:
    """A score of the catalogue that reads moments, and factors where it needs them."""

    def __init__(
        self,
        model: Measured,
        name: str,
        factors: Int[np.ndarray, "example factor"] | None = None,
        scored: Sequence[int] | None = None,
    ) -> None:
        self.name, self.unit = name, CATALOGUE[name].unit
        self._model, self._factors, self._scored = model, factors, scored
        (self._group,) = computations([name])

    def value(self, beta: float) -> float:
        """At one beta.

        Raises:
            ValueError: If there is none there.
        """
        return self._score(beta, np.ones(len(self._model.index), bool))

    def error(self, beta: float) -> float:
        """By leaving out a tenth of the examples at a time."""
        return left_out_error(
            lambda kept: self._score(beta, kept), len(self._model.index), self._model.seed
        )

    def _score(self, beta: float, kept: Bool[np.ndarray, " example"]) -> float:
        mean, log_sigma = (moment[kept] for moment in self._model.moments(beta))
        factors = None if self._factors is None else self._factors[kept]
        representation = Representation.of(mean, log_sigma, factors, self._scored)
        score = compute(self._group, representation, self._model.seed)[self.name]
        if score.reason is not None:
            raise ValueError(score.reason)
        return score.value


class FrechetOfSamples:
    """The Frechet distance of samples from data, of the same noise at every beta.

    As :func:`mrtc.evaluation.realism.score_realism` computes it. The error speaks of other draws
    from the prior, not of other data.
    """

    def __init__(
        self,
        vae: VAE,
        network: FeatureNetwork,
        reference: Dataset,
        config: RealismConfig,
        seed: int,
        device: torch.device,
        *,
        quiet: bool = False,
    ) -> None:
        metric = distance_metric("frechet", network.name)
        self.name, self.unit = metric.name, metric.unit
        self._vae, self._network, self._seed, self._device = vae, network, seed, device
        network.module.to(device)
        index = np.arange(len(reference))
        asked = config.reference_examples
        if asked is not None and asked > len(index):
            raise MrtcError(
                f"there are {len(index)} examples of the data, and {asked} were asked for; ask for "
                "fewer"
            )
        if asked is not None and asked < len(index):
            rng = numpy_stream(seed, "realism", "reference")
            index = np.sort(rng.choice(index, asked, replace=False))
        noise = torch_stream(seed, "realism", "noise")  # the same on every device
        self._noise = torch.randn(config.samples, vae.codes, generator=noise).to(device)
        self._real = FeatureMoments()
        title = f"data, {network.name}"
        with Progress(title, len(index), unit="image", quiet=quiet) as progress:
            for chunk in torch.split(torch.from_numpy(index).to(device), BATCH):
                self._real.add(network(reference.images(chunk)))
                progress.advance(len(chunk))

    def value(self, beta: float) -> float:
        """At one beta."""
        return self._distance(self._features(beta))

    def error(self, beta: float) -> float:
        """By leaving out a tenth of the samples at a time; the samples are made once more."""
        features = self._features(beta)
        return left_out_error(
            lambda kept: self._distance(features[kept]), len(features), self._seed
        )

    @torch.inference_mode()
    def _features(self, beta: float) -> Float32[np.ndarray, "sample feature"]:
        rate = torch.tensor([beta], device=self._device, dtype=torch.float32)
        chunks = torch.split(self._noise, BATCH)
        return np.concatenate([self._network(self._vae.eval().mean(z, rate)) for z in chunks])

    def _distance(self, features: Float[np.ndarray, "sample feature"]) -> float:
        moments = FeatureMoments()
        moments.add(features)
        return frechet_score(self._real, moments).value


def left_out_error(
    estimate: Callable[[Bool[np.ndarray, " example"]], float], count: int, seed: int = 0
) -> float:
    r"""Standard error of an estimate, by the delete-a-group jackknife.

    .. math:: \sqrt{\tfrac{G-1}{G} \sum_g (\theta_{-g} - \bar\theta)^2}

    over G = 10 random groups of examples, each left out in turn. A bias that depends on the number
    of examples is the same for all and drops out. With 10 groups it is itself off by about a
    quarter.

    Args:
        estimate: From which examples are kept to the value.
        count: Examples.
        seed: Of the groups.

    Raises:
        ValueError: If there are fewer than two examples for each group.

    References:
        Shao and Wu, "A General Theory for Jackknife Variance Estimation", Annals of Statistics,
        1989.
    """
    if count < 2 * FOLDS:
        raise ValueError(f"{FOLDS} groups need {2 * FOLDS} examples or more, got {count}")
    group = numpy_stream(seed, "groups").permutation(count) % FOLDS
    estimates = np.array([estimate(group != left_out) for left_out in range(FOLDS)])
    return float(estimates.std() * math.sqrt(FOLDS - 1))


def _check(name: str, goal: Goal) -> None:
    """Refuses what cannot be searched for, before any data are read."""
    measured = {
        metric.name
        for metric in CATALOGUE.values()
        if not {"decoder", "models"} & {*metric.needs}
        or metric.name in PER_EXAMPLE
        or (metric.name in DISTANCES and DISTANCES[metric.name][0] == "frechet")
    }
    scores = ", ".join(m for m in CATALOGUE if m in measured and CATALOGUE[m].direction)
    if name not in measured:
        raise MrtcError(
            f"there is no {name!r} that can be measured at one beta after another; choose among "
            f"{scores}"
        )
    if goal.target is None and not CATALOGUE[name].direction:
        raise MrtcError(
            f"there is no best {name}: neither more nor less of it is better; give a target for "
            f"it, or choose --best among {scores}"
        )
    if goal.target is not None and not math.isfinite(goal.target):
        raise MrtcError(f"the target of {name} is {goal.target}; give a finite number")


def _number(asked: int | None, population: int) -> int:
    if asked is not None and asked > population:
        raise MrtcError(
            f"the data have {population} examples, {asked} were asked for; leave out --examples"
        )
    return asked or min(MOST_EXAMPLES, population)


def _known(
    dataset: str, examples: Examples, name: str, model: Measured
) -> tuple[Int[np.ndarray, "example factor"] | None, list[int] | None]:
    """Classes of factors or attributes, and which of them Chen's MIG scores by default."""
    if "factors" not in CATALOGUE[name].needs:
        return None, None
    if isinstance(examples, FactorExamples):
        scored = [i for i, factor in enumerate(examples.grid.names) if factor in CHEN_FACTORS]
        return examples.grid.classes(model.index), scored
    if isinstance(examples, AttributeExamples) and examples.attribute_names:
        return examples.attributes(model.index), None
    raise MrtcError(
        f"{dataset} has no known factors, so there is no {name} of it; choose a score that needs "
        "none, as --best elbo"
    )


def _search(
    quantity: Quantity | ActiveUnits, goal: Goal, within: BetaRange, *, quiet: bool
) -> Found:
    total = SCAN_FOR_BEST + REFINE if goal.target is None else SCAN + REFINE
    title = f"searching {quantity.name}"
    with Progress(title, total, unit="evaluation", quiet=quiet) as progress:

        def watch(beta: float, value: float) -> None:
            progress.advance(numbers={"beta": beta, quantity.name: value})

        if isinstance(quantity, ActiveUnits):
            return find_count(quantity, _whole(goal.target), within, watch=watch)
        if goal.target is None:
            lower = CATALOGUE.get(quantity.name)
            is_lowest = lower is None or lower.direction == "lower is better"
            return find_best(quantity, "lowest" if is_lowest else "highest", within, watch=watch)
        search = find_at_most if goal.is_bound else find_target
        return search(quantity, goal.target, within, watch=watch)


def _whole(target: float | None) -> int:
    if target is None or target != int(target):
        raise MrtcError(f"active units are counted, and the target is {target}; give a whole one")
    return int(target)
