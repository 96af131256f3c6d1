"""The sweep: everything that is measured at each beta of a grid, written beta by beta."""

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import torch

from mrtc.datasets.examples import Examples
from mrtc.devices import Precision, keep_freed_memory
from mrtc.evaluation.adaptive import AdaptiveGrid
from mrtc.evaluation.config import EvaluationConfig, Measurer
from mrtc.evaluation.flat import FlatMeasurer
from mrtc.evaluation.hierarchy import HierarchyMeasurer
from mrtc.evaluation.recalibration import Recalibration
from mrtc.metrics.bits_per_dimension import SOURCES, derived_bits
from mrtc.progress import Progress
from mrtc.results import Writer
from mrtc.vae import VAE


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
        writer: Of the results; its header names the betas and, of a hierarchy, the group whose
            codes are kept.
        device: Where to compute.
        precision: Of the encoder's matrix products. The decoder runs in float32, as the
            distortion is reported as it is; so does all of a hierarchy, whose posteriors go through
            its decoder.
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
    vae, group = vae.to(device), writer.header.group
    measurer: Measurer
    if group is None:
        measurer = FlatMeasurer(
            vae, examples, config, device=device, precision=precision, quiet=quiet
        )
    else:
        measurer = HierarchyMeasurer(vae, examples, config, group, device=device)
    parameters = dict(measurer.parameters)
    parameters |= {name: parameters[source] for name, source in SOURCES.items()}
    entries = examples.images(torch.zeros(1, dtype=torch.int64, device=device))[0].numel()
    betas = writer.header.beta
    # Hours may go by at one beta where there are many draws, so these are what is counted then.
    draws = config.importance_samples
    steps, unit = 1 + draws, "draw" if draws else "beta"
    done = (len(betas) - len(pending)) * steps
    most = len(betas) if adaptive is None else min(adaptive.most_betas, len(betas))
    with Progress("evaluating", most * steps, done=done, unit=unit, quiet=quiet) as progress:
        for position in pending if adaptive is None else _chosen(adaptive, writer):
            beta = float(betas[position])
            with recalibration.at(vae, beta, device) if recalibration else nullcontext():
                values = measurer.measure(beta, progress.advance)
            values |= derived_bits(values, vae.likelihood, entries)
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
