"""Training and evaluation of anybody's networks, with the loops that train and evaluate ours."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.utils.data import Dataset

from mrtc.any_model.files import as_checkpoint, save
from mrtc.any_model.model import MultiRateVAE, to_dict
from mrtc.datasets.examples import Examples
from mrtc.devices import Precision, resolve_device
from mrtc.errors import DataError
from mrtc.evaluation import EvaluationConfig, sweep
from mrtc.files import claim
from mrtc.objectives import ObjectiveConfig
from mrtc.results import Header, Results, open_writer, read
from mrtc.training import TrainingConfig, TrainingState, train

CHECKED = 256
"""Examples that are looked at before training begins."""

Own = Tensor | Dataset[Any] | Examples
"""Data of one's own: examples along the first axis; a torch data set, of tensors or of tuples that
begin with one; or what mrtc's own data sets are. Bytes are divided by 255."""


@dataclass(frozen=True, eq=False)
class OwnExamples:
    """A tensor or a torch data set, as training and evaluation ask for it."""

    items: Tensor | Dataset[Any] = field(repr=False)
    device: torch.device
    dtype: torch.dtype
    """Of the networks, to which examples with fractions, and bytes, are converted."""
    source: str = "own data"

    def __len__(self) -> int:
        return len(self.items)  # type: ignore[arg-type]  # torch's Dataset leaves it to subclasses

    def images(self, index: Int[Tensor, " batch"]) -> Shaped[Tensor, "batch *event"]:
        """The examples of these indices."""
        if isinstance(self.items, Tensor):
            x = self.items[index.to(self.items.device)]
        else:
            x = torch.stack([_first(self.items[position]) for position in index.tolist()])
        x = x.to(self.device)
        if x.dtype == torch.uint8:
            return x.to(self.dtype) / 255
        return x.to(self.dtype) if x.is_floating_point() else x


def fit(
    vae: MultiRateVAE,
    images: Own,
    *,
    steps: int,
    batch: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    objective: ObjectiveConfig | None = None,
    out: Path | str | None = None,
    state: TrainingState | None = None,
    device: torch.device | str = "auto",
    precision: Precision = "fp32",
    quiet: bool = False,
) -> TrainingState:
    """Trains a wrapped model over its whole range of beta, in place, and leaves it to be used.

    Args:
        vae: As :func:`mrtc.any_model.multirate` made it; behind, it is in evaluation mode.
        images: The data, see ``Own``.
        steps: Gradient steps.
        batch: Examples in a step, each with a beta of its own.
        learning_rate: Of Adam.
        seed: Of data order, betas and posterior draws. The order of a run is a matter of this
            seed and the step alone.
        objective: What is minimised; by default distortion + beta rate.
        out: A checkpoint to write, every minute and at the end.
        state: Of an earlier run with the same arguments, and the weights of its end, to go on.
        device: Where to train; the GPU, by default, where there is one.
        precision: Of the networks; ``"auto"`` for bfloat16 where the device multiplies in it.
        quiet: Show no progress.

    Returns:
        Steps, optimiser, and the objective's terms now and then, in nats (``history``).

    Raises:
        DataError: If these examples cannot be used with this model.
        DivergenceError: If the objective is not finite.
        OutputError: If ``out`` cannot be written.
        KeyboardInterrupt: On Ctrl-C, after saving.
    """
    device = resolve_device(device)
    examples = _usable(vae, images, device)
    if len(examples) < batch:
        raise DataError(
            f"there are {len(examples)} examples, fewer than batch={batch} of one step; lower "
            "batch, or give more examples"
        )
    if out is not None:
        claim(Path(out), force=True)

    def keep(state: TrainingState) -> None:
        if out is not None:
            save(vae, out, state)

    end = train(
        vae,
        examples,
        objective or ObjectiveConfig("beta"),
        TrainingConfig(steps, batch, learning_rate),
        seed=seed,
        device=device,
        precision=precision,
        state=state,
        save=keep,
        quiet=quiet,
    )
    vae.eval()
    return end


def evaluate(
    vae: MultiRateVAE,
    images: Own,
    out: Path | str,
    *,
    betas: Float[np.ndarray, " beta"] | None = None,
    keep: int = 10_000,
    seed: int = 0,
    device: torch.device | str = "auto",
    precision: Precision = "fp32",
    force: bool = False,
    quiet: bool = False,
) -> Results:
    """Rate, distortion, ELBO and active units at every beta, to a results file.

    The file is as that of mrtc's own models, so what plots those plots this one; a file of the
    same model and grid is gone on with.

    Args:
        vae: The model.
        images: The data, see ``Own``.
        out: The results file to write (``.h5``).
        betas: The grid; by default 20 over the trained range, log-spaced.
        keep: Examples that are decoded, and whose moments are stored.
        seed: Of the subset and of draws.
        device: Where to compute.
        precision: Of the encoder's matrix products.
        force: Overwrite ``out``, whatever it holds.
        quiet: Show no progress.

    Raises:
        BetaError: If a beta lies outside the trained range.
        DataError: If these examples cannot be used with this model.
        ResultsError: If ``out`` holds another evaluation, or moments are not finite.
        OutputError: If ``out`` cannot be written.
    """
    device = resolve_device(device)
    vae.to(device)
    examples = _usable(vae, images, device)
    if betas is None:
        span = vae.betas
        betas = np.array([span.low]) if span.is_single else np.geomspace(span.low, span.high, 20)
    vae.betas.require(betas.tolist())
    config = EvaluationConfig((), keep=keep, seed=seed)
    index, kept = config.choose(len(examples))
    header = Header(
        beta=betas,
        num_codes=vae.codes,
        factors=(),
        config=to_dict(vae.config),
        fingerprint=as_checkpoint(vae).fingerprint(),
        seed=seed,
        source=str(getattr(examples, "source", "own data")),
        parameters=asdict(config) | {"precision": precision, "encoded": len(index)},
        index=index[kept],
        cost={"parameters": sum(weight.numel() for weight in vae.parameters())},
    )
    with open_writer(Path(out), header, force=force) as writer:
        sweep(vae, examples, config, writer, device=device, precision=precision, quiet=quiet)
    return read(Path(out))


def _usable(vae: MultiRateVAE, images: Own, device: torch.device) -> Examples:
    dtype = next((weight.dtype for weight in vae.parameters()), torch.get_default_dtype())
    examples: Examples
    # Asked in this order: somebody's data set may well have an attribute called images.
    if isinstance(images, Tensor | Dataset):
        examples = OwnExamples(images, device, dtype)
    else:
        examples = images
    if len(examples) == 0:
        raise DataError("there are no examples in these data; give at least one batch of them")
    x = examples.images(torch.arange(min(len(examples), CHECKED), device=device))
    event, wanted = tuple(x.shape[1:]), vae.config.event_shape
    if x[0].numel() != int(np.prod(wanted)):
        raise DataError(
            f"examples have shape {event}, and the decoder puts out {wanted}; give examples of "
            "the shape that the networks were made for"
        )
    low, high = float(x.min()), float(x.max())
    if not x.isfinite().all() or (vae.likelihood == "bernoulli" and not 0 <= low <= high <= 1):
        raise DataError(
            f"examples have values from {low:g} to {high:g}, and a {vae.likelihood} likelihood "
            f"wants {'them in [0, 1]' if vae.likelihood == 'bernoulli' else 'finite ones'}; scale "
            "them, give bytes, or choose another likelihood"
        )
    return examples


def _first(item: object) -> Tensor:
    x = item[0] if isinstance(item, tuple | list) else item
    if not isinstance(x, Tensor):
        raise DataError(
            f"the data set gives a {type(x).__name__} for an example; let it give tensors, for "
            "images by a transform such as torchvision's ToTensor"
        )
    return x
