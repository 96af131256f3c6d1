"""What is measured of a model at one beta after another, each with its standard error."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int

from mrtc.datasets.examples import Examples
from mrtc.evaluation.config import ACTIVE_VARIANCE
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.evaluation.realism_data import moments_of_data
from mrtc.evaluation.realism_samples import Sampler
from mrtc.evaluation.search_model import PER_EXAMPLE, Measured
from mrtc.metrics.catalogue import CATALOGUE, distance_metric
from mrtc.metrics.frechet import FeatureMoments, frechet_score
from mrtc.metrics.rate_distortion import standard_error
from mrtc.metrics.scorecard import Representation, computations, compute
from mrtc.randomness import numpy_stream
from mrtc.vae import VAE

FOLDS = 10
"""Parts of the examples that are left out in turn, for the error of what is no mean."""

LEAST_LOG_VARIANCE = 2 * math.log(ACTIVE_VARIANCE)
"""Collapsed codes are all alike to a search: one that has no variance at all would stretch it."""


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
        variance = self._model.variance(beta)
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(variance), LEAST_LOG_VARIANCE)
        # What counts is `variance >= threshold`: its logarithm would be off by rounding.
        margins = np.where(variance == ACTIVE_VARIANCE, 0.0, logs - math.log(ACTIVE_VARIANCE))
        ordered: Float64[np.ndarray, " code"] = np.sort(margins)[::-1]
        return ordered

    def error(self, beta: float, rank: int) -> float:
        """Of the margin at this position."""
        variance = self._model.variance(beta)
        at = int(np.argsort(-variance)[rank])
        if variance[at] == 0:
            return 0.0
        n = len(self._model.index)
        kurtosis = self._model.fourth_moment(beta, at) / float(variance[at]) ** 2
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

    Args:
        vae: The model.
        network: In whose features.
        reference: The data, on ``device``.
        config: Numbers of samples and examples, and the seed.
        device: Where to compute.
        quiet: Show no progress.

    Raises:
        MrtcError: If the data are no images, or there are fewer than asked for.
    """

    def __init__(
        self,
        vae: VAE,
        network: FeatureNetwork,
        reference: Examples,
        config: RealismConfig,
        device: torch.device,
        *,
        quiet: bool = False,
    ) -> None:
        metric = distance_metric("frechet", network.name)
        self.name, self.unit = metric.name, metric.unit
        self._network, self._seed = network, config.seed
        self._real = moments_of_data(network, reference, config, device, quiet=quiet)
        self._sampler = Sampler(vae, config, device)

    def value(self, beta: float) -> float:
        """At one beta."""
        return self._distance(self._sampler.features(self._network, beta))

    def error(self, beta: float) -> float:
        """By leaving out a tenth of the samples at a time; the samples are made once more."""
        features = self._sampler.features(self._network, beta)
        return left_out_error(
            lambda kept: self._distance(features[kept]), len(features), self._seed
        )

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
