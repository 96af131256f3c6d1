"""Many scores of one set of codes; what several have in common is computed once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from mrtc.metrics.active_units import active_units, code_variance
from mrtc.metrics.aggregate import aggregate_terms
from mrtc.metrics.arrays import Array, as_codes, as_factors
from mrtc.metrics.beta_vae import beta_vae
from mrtc.metrics.catalogue import CATALOGUE, Need
from mrtc.metrics.dci import Dci, dci_fast, dci_gbt
from mrtc.metrics.effective_units import effective_dimension, soft_active_units
from mrtc.metrics.explicitness import explicitness
from mrtc.metrics.factor_vae import factor_vae
from mrtc.metrics.infomec import info_c, info_e, info_m
from mrtc.metrics.information import Estimator
from mrtc.metrics.irs import irs
from mrtc.metrics.mig import mig_chen
from mrtc.metrics.mig_histogram import mig_locatello, mig_quantile
from mrtc.metrics.mig_variants import dcimig, jemmig, mig_sup
from mrtc.metrics.modularity import modularity
from mrtc.metrics.rate_distortion import rate_per_code
from mrtc.metrics.sap import sap_continuous, sap_discrete
from mrtc.metrics.score import Score, undefined

SAMPLES = 10_000
"""Draws for each entropy that Chen's own estimator samples."""

BINNINGS_APART = 0.05
"""Where MIG with equal bins and with quantile bins differ by more, outliers set the bins."""

MISSING: dict[Need, str] = {
    "sigma": "it needs the posteriors' sigmas, and there are means only",
    "factors": "it needs factors or attributes, and there are none",
    "decoder": "it needs the decoder: mrtc eval measures it and stores it beside the scores",
    "models": "it needs the codes of several models",
}


@dataclass(frozen=True, eq=False)
class Representation:
    """Codes of one model at one beta, with what is known of the same examples."""

    mean: Float64[np.ndarray, "example code"]
    log_sigma: Float64[np.ndarray, "example code"] | None = None
    factors: Int64[np.ndarray, "example factor"] | None = None
    scored: tuple[int, ...] | None = None
    """Factors that Chen's MIG scores; by default all."""

    @classmethod
    def of(
        cls,
        mean: Array,
        log_sigma: Array | None = None,
        factors: Array | None = None,
        scored: Sequence[int] | None = None,
    ) -> "Representation":
        """From numpy arrays or torch tensors, checked.

        Raises:
            ValueError: If they do not fit together; see :mod:`mrtc.metrics.arrays`.
        """
        codes = as_codes(mean, "mean")
        sigmas = None if log_sigma is None else as_codes(log_sigma, "log_sigma")
        if sigmas is not None and sigmas.shape != codes.shape:
            raise ValueError(
                f"mean and log_sigma need one shape; got {codes.shape} and {sigmas.shape}"
            )
        classes = None if factors is None else as_factors(factors, len(codes))
        return cls(codes, sigmas, classes, None if scored is None else tuple(scored))

    @property
    def classes(self) -> Int64[np.ndarray, "example factor"]:
        """The factors.

        Raises:
            ValueError: If there are none.
        """
        if self.factors is None:
            raise ValueError(MISSING["factors"])
        return self.factors

    @property
    def posterior(
        self,
    ) -> tuple[Float64[np.ndarray, "example code"], Float64[np.ndarray, "example code"]]:
        """Mean and log sigma.

        Raises:
            ValueError: If there is no log sigma.
        """
        if self.log_sigma is None:
            raise ValueError(MISSING["sigma"])
        return self.mean, self.log_sigma

    def lacks(self, needs: Iterable[Need]) -> str | None:
        """Why something with these needs cannot be computed; ``None`` if it can."""
        has = {"sigma": self.log_sigma is not None, "factors": self.factors is not None}
        return next((MISSING[need] for need in needs if not has.get(need, False)), None)


Computation = Callable[[Representation, int, int], Mapping[str, Score]]
"""From a representation, a seed and the number of factors worked on at once to scores by name."""


def scorecard(
    representation: Representation, names: Iterable[str], *, seed: int = 0, workers: int = 1
) -> dict[str, Score]:
    """The scores asked for.

    Args:
        representation: Codes and what is known of them.
        names: Of the catalogue.
        seed: Of every score that draws random numbers.
        workers: Factors that classifiers are fitted to at once; values do not depend on it.

    Returns:
        Scores by name, in the order asked for. Where something is missing that a score needs, it
        has no value and says what.
    """
    asked = list(names)
    scores: dict[str, Score] = {}
    for group in computations(asked):
        scores |= compute(group, representation, seed, workers)
    with_all = with_cautions(scores, representation)
    return {name: with_all[name] for name in asked}


def computations(names: Iterable[str]) -> list[tuple[str, ...]]:
    """The groups of names that are computed together and hold any of ``names``."""
    asked = set(names)
    groups = [group for group in _COMPUTATIONS if asked & set(group)]
    alone = asked - {name for group in groups for name in group}
    return groups + [(name,) for name in sorted(alone)]


def compute(
    group: tuple[str, ...], representation: Representation, seed: int, workers: int = 1
) -> dict[str, Score]:
    """All scores of one group of :func:`computations`; ValueErrors become reasons."""
    lacking = representation.lacks(CATALOGUE[group[0]].needs)
    if lacking is not None:
        return dict.fromkeys(group, undefined(lacking))
    try:
        return dict(_COMPUTATIONS[group](representation, seed, workers))
    except ValueError as error:
        return dict.fromkeys(group, undefined(str(error)))


def with_cautions(scores: Mapping[str, Score], representation: Representation) -> dict[str, Score]:
    """The same scores, with a ``caution`` where a value should not be trusted."""
    cautions: dict[str, str] = {}
    if len(representation.mean) > 1:
        active = active_units(representation.mean)
        if active < 2:
            about_factors = [name for name in scores if "factors" in CATALOGUE[name].needs]
            cautions |= dict.fromkeys(
                about_factors, f"{active} active codes: fewer than two, so gaps say nothing"
            )
    pair = [scores[name].value for name in ("mig_locatello", "mig_quantile") if name in scores]
    if len(pair) == 2 and abs(pair[0] - pair[1]) > BINNINGS_APART:
        for name in ("mig_locatello", "mig_quantile"):
            cautions[name] = (
                f"equal bins give {pair[0]:.3f} and quantile bins {pair[1]:.3f}: look for outliers"
            )
    return {
        name: replace(score, caution=cautions.get(name, score.caution))
        for name, score in scores.items()
    }


# What computes the scores: by the names of all that come from one computation.


def _of_factors(name: str, score: Callable[..., Score], *options: str) -> Computation:
    def computation(representation: Representation, seed: int, workers: int) -> dict[str, Score]:
        given = {"seed": seed, "workers": workers}
        chosen = {option: given[option] for option in options}
        return {name: score(representation.mean, representation.classes, **chosen)}

    return computation


def _mig_chen(name: str, estimator: Estimator) -> Computation:
    def computation(representation: Representation, seed: int, _workers: int) -> dict[str, Score]:
        mean, log_sigma = representation.posterior
        factors = representation.classes
        names = [str(k) for k in range(factors.shape[1])]
        mig = mig_chen(
            *(mean, log_sigma, factors, names),
            scored=representation.scored,
            estimator=estimator,
            samples=SAMPLES,
            generator=np.random.default_rng(seed),
        )
        per_factor = np.array([mig.gaps.get(name, np.nan) for name in names])
        parameters: dict[str, object] = {
            "estimator": estimator,
            "scored_factors": [int(k) for k in mig.gaps],
        }
        if estimator == "sampling":
            parameters |= {"samples": SAMPLES, "seed": seed}
        return {name: Score(mig.score, mig.reason, per_factor, parameters=parameters)}

    return computation


def _dci(prefix: str, dci: Callable[..., Dci]) -> Computation:
    def computation(representation: Representation, seed: int, workers: int) -> dict[str, Score]:
        parts = dci(representation.mean, representation.classes, seed=seed, workers=workers)
        return {
            f"{prefix}_disentanglement": parts.disentanglement,
            f"{prefix}_completeness": parts.completeness,
            f"{prefix}_informativeness": parts.informativeness,
        }

    return computation


def _binned_migs(representation: Representation, _seed: int, _workers: int) -> dict[str, Score]:
    """Both binnings, whichever is asked for: where they disagree, neither is to be trusted."""
    codes, factors = representation.mean, representation.classes
    return {
        "mig_locatello": mig_locatello(codes, factors),
        "mig_quantile": mig_quantile(codes, factors),
    }


def _active_units(representation: Representation, _seed: int, _workers: int) -> dict[str, Score]:
    variance = code_variance(representation.mean)
    count = float(active_units(representation.mean))
    return {"active_units": Score(count, per_code=variance, parameters={"threshold": 0.01})}


def _rates(representation: Representation, _seed: int, _workers: int) -> dict[str, Score]:
    of_codes = rate_per_code(*representation.posterior)
    return {
        "rate": Score(float(of_codes.sum()), per_code=of_codes),
        "soft_active_units": soft_active_units(of_codes),
        "effective_dimension": effective_dimension(of_codes),
    }


def _aggregate(representation: Representation, seed: int, _workers: int) -> dict[str, Score]:
    terms = aggregate_terms(*representation.posterior, seed=seed)
    common = {"draws": terms.draws, "reference_examples": terms.population, "seed": terms.seed}
    estimated = common | {"standard_error": terms.error}
    return {
        "index_code_mi": Score(
            terms.index_code_mi,
            parameters=estimated | {"ceiling": terms.ceiling},
            caution=terms.warning,
        ),
        "total_correlation": Score(
            terms.total_correlation, parameters=estimated, caution=terms.warning
        ),
        "dimensionwise_kl": Score(
            terms.dimensionwise_kl, per_code=terms.dimensionwise_kl_per_code, parameters=common
        ),
    }


_PLAIN: dict[str, Callable[..., Score]] = {
    "mig_sup": mig_sup,
    "dcimig": dcimig,
    "jemmig": jemmig,
    "modularity": modularity,
    "sap_continuous": sap_continuous,
    "irs": irs,
}
_SEEDED: dict[str, Callable[..., Score]] = {
    "sap_discrete": sap_discrete,
    "info_m": info_m,
    "info_c": info_c,
    "factor_vae": factor_vae,
    "beta_vae": beta_vae,
}
_FITTED: dict[str, Callable[..., Score]] = {"explicitness": explicitness, "info_e": info_e}
_DCI_PARTS = ("disentanglement", "completeness", "informativeness")
_COMPUTATIONS: dict[tuple[str, ...], Computation] = {
    ("mig_chen",): _mig_chen("mig_chen", "quadrature"),
    ("mig_chen_sampling",): _mig_chen("mig_chen_sampling", "sampling"),
    ("mig_locatello", "mig_quantile"): _binned_migs,
    **{(name,): _of_factors(name, score) for name, score in _PLAIN.items()},
    **{(name,): _of_factors(name, score, "seed") for name, score in _SEEDED.items()},
    **{(n,): _of_factors(n, score, "seed", "workers") for n, score in _FITTED.items()},
    tuple(f"dci_fast_{part}" for part in _DCI_PARTS): _dci("dci_fast", dci_fast),
    tuple(f"dci_gbt_{part}" for part in _DCI_PARTS): _dci("dci_gbt", dci_gbt),
    ("active_units",): _active_units,
    ("rate", "soft_active_units", "effective_dimension"): _rates,
    ("index_code_mi", "total_correlation", "dimensionwise_kl"): _aggregate,
}
