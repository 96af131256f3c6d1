"""The sweep: everything that is measured at each beta of a grid, written beta by beta."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from mrtc.datasets.documents import Documents
from mrtc.datasets.examples import Examples, FactorExamples
from mrtc.devices import Precision, keep_freed_memory
from mrtc.errors import ResultsError
from mrtc.evaluation.adaptive import AdaptiveGrid
from mrtc.evaluation.decode import PosteriorDecoder
from mrtc.evaluation.encode import PosteriorEncoder
from mrtc.evaluation.recalibration import Recalibration
from mrtc.factors import FactorGrid
from mrtc.metrics.active_units import code_variance
from mrtc.metrics.information import Estimator, Information, information_matrix
from mrtc.metrics.mig import mutual_information_gap, score_gaps
from mrtc.metrics.rate_distortion import rate_per_code, rate_per_example, standard_error
from mrtc.progress import Progress
from mrtc.randomness import numpy_stream
from mrtc.results import Writer
from mrtc.vae import VAE

ACTIVE_VARIANCE = 0.01


@dataclass(frozen=True)
class EvaluationConfig:
    """How a checkpoint is evaluated."""

    scored_factors: tuple[str, ...]
    """Factors whose gaps make up the MIG; none where the data have no factors."""
    examples: PositiveInt | None = None
    """Examples that are encoded, a stratified subset; ``None`` for all."""
    keep: PositiveInt = 10_000
    """Examples, of those encoded, whose moments are stored, and which are decoded for the
    distortion."""
    estimator: Estimator = "quadrature"
    """Of the entropies behind the MIG."""
    samples: PositiveInt = 10_000
    """Draws for each entropy, with ``sampling``."""
    seed: int = 0
    """Of the subsets and of all draws."""
    importance_samples: NonNegativeInt = 0
    """Draws of each kept posterior for the importance-weighted bound; 0 for no bound."""

    def choose(
        self, population: int, grid: FactorGrid | None = None
    ) -> tuple[Int[np.ndarray, " example"], Int[np.ndarray, " kept"]]:
        """Indices of the examples to encode, and positions among them of those to keep.

        Args:
            population: Examples in the dataset.
            grid: Of its factors; whatever is drawn from the whole is stratified over it.
        """
        index = np.arange(population)
        if self.examples is not None and self.examples < population:
            index = _subset(self.examples, population, grid, numpy_stream(self.seed, "examples"))
        kept = np.arange(len(index))
        if self.keep < len(index):
            whole_grid = grid if len(index) == population else None
            kept = _subset(self.keep, len(index), whole_grid, numpy_stream(self.seed, "kept"))
        return index, kept


def _subset(
    count: int, population: int, grid: FactorGrid | None, rng: np.random.Generator
) -> Int[np.ndarray, " example"]:
    if grid is not None:
        return grid.stratified(count, rng)
    chosen: Int[np.ndarray, " example"] = np.sort(rng.choice(population, count, replace=False))
    return chosen


def sweep(
    vae: VAE,
    examples: Examples,
    config: EvaluationConfig,
    writer: Writer,
    *,
    device: torch.device,
    precision: Precision = "auto",
    recalibration: Recalibration | None = None,
    adaptive: AdaptiveGrid | None = None,
    quiet: bool = False,
) -> None:
    """Evaluates ``vae`` at every beta that ``writer`` has not got yet.

    Args:
        vae: The model.
        examples: The dataset, on ``device``; without factors there is no MIG.
        config: What is measured, and on how many examples.
        writer: Of the results; its header names the betas.
        device: Where to compute.
        precision: Of the encoder's matrix products. The decoder runs in float32, as the
            distortion is reported as it is.
        recalibration: Of batch normalisation at each beta, where that is asked for.
        adaptive: Takes the betas of the header for candidates, evaluates those that it chooses,
            and leaves the others out of the file; ``None`` for all of them.
        quiet: Show no progress.

    Raises:
        ResultsError: If the moments at a beta are not finite, or too extreme for the quadrature.
    """
    pending = writer.pending
    if not pending:
        return
    if device.type == "cpu":
        keep_freed_memory()
    grid = examples.grid if isinstance(examples, FactorExamples) else None
    index, kept = config.choose(len(examples), grid)
    factors = None if grid is None else grid.classes(index)
    encoder = PosteriorEncoder(
        vae.to(device), examples, index, device=device, precision=precision, quiet=quiet
    )
    betas = writer.header.beta
    parameters = _parameters(config, len(index), len(kept))
    # Hours may go by at one beta where there are many draws, so these are what is counted then.
    draws = config.importance_samples
    steps, unit = 1 + draws, "draw" if draws else "beta"
    done = (len(betas) - len(pending)) * steps
    most = len(betas) if adaptive is None else min(adaptive.most_betas, len(betas))
    with Progress("evaluating", most * steps, done=done, unit=unit, quiet=quiet) as progress:
        for position in pending if adaptive is None else _chosen(adaptive, writer):
            beta = float(betas[position])
            with recalibration.at(vae, beta, device) if recalibration else nullcontext():
                mean, log_sigma = encoder.moments(beta)
                mig: Values = {}
                if grid is not None and factors is not None:
                    information = _information(mean, log_sigma, factors, config, beta)
                    mig = _mig(information, grid.names, config.scored_factors)
                decoder = PosteriorDecoder(
                    *(vae, examples, index[kept], mean[kept], log_sigma[kept]),
                    beta=beta,
                    device=device,
                )
                values = _values(mean, log_sigma, kept, decoder.distortion(config.seed)) | mig
                if draws:
                    bound = decoder.importance_weighted_bound(
                        draws, config.seed, advance=progress.advance
                    )
                    values |= {
                        "importance_weighted_bound": bound.value,
                        "importance_weighted_bound_error": bound.error,
                        "effective_samples": bound.mean_effective_samples,
                    }
            if isinstance(examples, Documents):
                values |= _perplexities(values, examples, index[kept])
            writer.write(position, values, {name: parameters[name] for name in values})
            shown = {
                name: float(values[name])
                for name in ("rate", "distortion", "mig_chen")
                if name in values
            }
            progress.advance(numbers={"beta": beta} | shown)
    if adaptive is not None:
        writer.leave_out_pending()


def _chosen(adaptive: AdaptiveGrid, writer: Writer) -> Iterator[int]:
    """Positions of betas, each chosen when those before it are written."""
    beta = writer.header.beta
    while True:
        evaluated = np.ones(len(beta), bool)
        evaluated[writer.pending] = False
        position = adaptive.next(beta, writer.metrics, evaluated)
        if position is None:
            return
        yield position


def _information(
    mean: Float32[np.ndarray, "example code"],
    log_sigma: Float32[np.ndarray, "example code"],
    factors: Int[np.ndarray, "example factor"],
    config: EvaluationConfig,
    beta: float,
) -> Information:
    try:
        return information_matrix(
            mean,
            log_sigma,
            factors,
            estimator=config.estimator,
            samples=config.samples,
            generator=numpy_stream(config.seed, "entropies"),
        )
    except ValueError as error:  # moments that are not finite, or a sigma too small for a grid
        raise ResultsError(
            f"there is no MIG at beta {beta:g}: {error}; leave out that beta, or use --estimator "
            "sampling"
        ) from error


Values = dict[str, np.ndarray | float]


def _values(
    mean: Float32[np.ndarray, "example code"],
    log_sigma: Float32[np.ndarray, "example code"],
    kept: Int[np.ndarray, " kept"],
    distortion: Float[np.ndarray, " kept"],
) -> Values:
    rate = rate_per_example(mean, log_sigma)
    variance = code_variance(mean)
    return {
        "rate": float(rate.mean()),
        "rate_error": standard_error(rate),
        "rate_code": rate_per_code(mean, log_sigma),
        "distortion": float(distortion.mean()),
        "distortion_error": standard_error(distortion),
        "elbo": -float((distortion + rate[kept]).mean()),
        "active_units": float((variance >= ACTIVE_VARIANCE).sum()),
        "code_variance": variance,
        "mean": mean[kept],
        "log_sigma": log_sigma[kept],
    }


def _perplexities(values: Values, documents: Documents, index: Int[np.ndarray, " kept"]) -> Values:
    """exp of the nats of a token, END counted: upper bounds, from bounds on log p(x)."""
    tokens = documents.lengths.numpy(force=True)[index] - 1  # START is given
    mean = float(tokens.mean())
    bounds = {
        "perplexity": "elbo",
        "importance_weighted_perplexity": "importance_weighted_bound",
    }
    return {
        name: float(np.exp(-values[bound] / mean))
        for name, bound in bounds.items()
        if bound in values
    }


def _mig(information: Information, names: Sequence[str], scored: Sequence[str]) -> Values:
    values: Values = {
        "mig_chen": score_gaps(information, names, scored).score,
        "mig_chen_factor": mutual_information_gap(information.information, information.entropy),
        "information": information.information,
        "code_entropy": information.code_entropy,
        "factor_entropy": information.entropy,
    }
    if information.information_error is not None:
        values["information_error"] = information.information_error
    return values


def _parameters(
    config: EvaluationConfig, encoded: int, decoded: int
) -> dict[str, dict[str, object]]:
    """What each stored variable depends on beside the model."""
    all_encoded: dict[str, object] = {"examples": encoded}
    all_decoded: dict[str, object] = {"examples": decoded, "draws": 1, "seed": config.seed}
    entropies = all_encoded | {"estimator": config.estimator}
    if config.estimator == "sampling":
        entropies |= {"samples": config.samples, "seed": config.seed}
    active = all_encoded | {"threshold": ACTIVE_VARIANCE}
    kept: dict[str, object] = {"examples": decoded}
    importance = all_decoded | {"draws": config.importance_samples}
    return {
        **dict.fromkeys(("rate", "rate_error", "rate_code", "code_variance"), all_encoded),
        **dict.fromkeys(("distortion", "distortion_error", "elbo", "perplexity"), all_decoded),
        **dict.fromkeys(("information", "information_error", "code_entropy"), entropies),
        **dict.fromkeys(("mean", "log_sigma"), kept),
        **dict.fromkeys(
            (
                "importance_weighted_bound",
                "importance_weighted_bound_error",
                "importance_weighted_perplexity",
                "effective_samples",
            ),
            importance,
        ),
        "mig_chen": entropies | {"scored_factors": list(config.scored_factors)},
        "mig_chen_factor": entropies | {"scored_factors": list(config.scored_factors)},
        "active_units": active,
        "factor_entropy": all_encoded,
    }
