"""Multi-rate VAEs of anybody's networks on disk: weights, and how they are wrapped, in JSON."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from torch import nn

from mrtc.any_model.model import MultiRateVAE, WrapConfig, to_dict
from mrtc.architectures.wrapped import Layer, full_name
from mrtc.errors import CheckpointError
from mrtc.training import Checkpoint, TrainingState

SHOWN = 5
"""Names in a message."""


def as_checkpoint(vae: MultiRateVAE, state: TrainingState | None = None) -> Checkpoint:
    """What the file holds."""
    config = json.dumps(to_dict(vae.config))
    return Checkpoint(config, vae.state_dict(), state or TrainingState())


def save(vae: MultiRateVAE, path: Path | str, state: TrainingState | None = None) -> None:
    """Writes weights, gates and settings to a checkpoint (``.pt``), whole or not at all.

    Args:
        vae: The model. The code of its networks is not part of the file.
        path: Where to write.
        state: Of its training, to go on from.

    Raises:
        OutputError: If the file cannot be written.
    """
    as_checkpoint(vae, state).save(Path(path))


def load(path: Path | str, encoder: nn.Module, decoder: nn.Module) -> MultiRateVAE:
    """Reads a model that :func:`save` or ``fit`` wrote, in evaluation mode.

    Nothing in the file is run. Where training stood is ``Checkpoint.load(path).state``.

    Args:
        path: The checkpoint.
        encoder: A network made as that of the saved model was; it gets the saved weights.
        decoder: Likewise.

    Raises:
        CheckpointError: If the file cannot be used, or is of other networks.
    """
    path = Path(path)
    checkpoint = Checkpoint.load(path)
    config = _config(checkpoint, path)
    missing = [
        full_name(where, name)
        for where, network, names in (
            ("encoder", encoder, config.encoder),
            ("decoder", decoder, config.decoder),
        )
        for name in names
        if not isinstance(dict(network.named_modules()).get(name), Layer)
    ]
    if missing:
        raise CheckpointError(
            f"{path} has gates for {_listed(missing)}, and these networks have no such linear or "
            "convolutional layer; give networks made as the saved ones were"
        )
    _require_fitting(checkpoint, {"encoder": encoder, "decoder": decoder}, path)
    vae = MultiRateVAE(encoder, decoder, config)
    try:
        vae.load_state_dict(checkpoint.weights)
    except RuntimeError as error:  # gates or sigma: networks were compared above
        raise CheckpointError(
            f"the gates in {path} do not fit: {' '.join(str(error).split())[:200]}; use a copy"
        ) from error
    return vae.eval()


def _config(checkpoint: Checkpoint, path: Path) -> WrapConfig:
    try:
        content: Any = json.loads(checkpoint.config)
        if content.pop("kind", None) != "any_model":
            raise CheckpointError(
                f"{path} is not of networks wrapped by mrtc.multirate; read it with mrtc.load_vae"
            )
        return TypeAdapter(WrapConfig).validate_python(content)
    except (ValidationError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"the settings in {path} cannot be read: {' '.join(str(error).split())[:200]}; use "
            "the version of mrtc that wrote it"
        ) from error


def _require_fitting(checkpoint: Checkpoint, networks: dict[str, nn.Module], path: Path) -> None:
    """Compares saved weights with those of the networks, before these are changed."""
    for where, network in networks.items():
        prefix = f"{where}.network."
        saved = {
            name.removeprefix(prefix): tuple(weight.shape)
            for name, weight in checkpoint.weights.items()
            if name.startswith(prefix)
        }
        here = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
        faults = {
            "lacks": [name for name in saved if name not in here],
            "has besides": [name for name in here if name not in saved],
            "has in another shape": [
                f"{name} {here[name]} for {saved[name]}"
                for name in saved
                if name in here and here[name] != saved[name]
            ],
        }
        found = [f"{what} {_listed(names)}" for what, names in faults.items() if names]
        if found:
            raise CheckpointError(
                f"{path} is of another {where}: this one {'; it '.join(found)}; give networks "
                "made as the saved ones were"
            )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
