"""Checkpoints: one file with weights, configuration and all that training needs to go on."""

import io
import json
import math
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrtc.errors import CheckpointError
from mrtc.files import write_atomically

FORMAT = "mrtc-checkpoint"
VERSION = 1


@dataclass
class TrainingState:
    """Where training stands, beside the weights."""

    step: int = 0
    """Steps done."""
    optimizer: dict[str, Any] = field(default_factory=dict)
    """State of the optimiser; empty before the first step."""
    history: list[dict[str, int | float]] = field(default_factory=list)
    """Means over the minibatch of the objective's terms at some steps, in nats."""
    seconds: float = 0.0
    """Spent on these steps, over all sittings; NaN in checkpoints that did not count them."""
    spectral: dict[str, Tensor] = field(default_factory=dict)
    """Vectors of :class:`mrtc.training.regularisation.SpectralPenalty`, by the name of the layer;
    empty before the first step, and without the penalty."""


@dataclass
class Checkpoint:
    """What a checkpoint file holds.

    Args:
        config: The whole configuration of the run, as JSON.
        weights: Of the model, by name.
        state: Of the training.
    """

    config: str
    weights: Mapping[str, Tensor]
    state: TrainingState
    vocabulary: str = ""
    """Of a model of documents, as JSON."""

    def fingerprint(self) -> str:
        """A short digest of configuration and weights, by which results name their model."""
        digest = blake2b((self.config + self.vocabulary).encode(), digest_size=8)
        for name, tensor in sorted(self.weights.items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Writes the file atomically: a kill at any moment leaves the old one or the new one.

        Raises:
            OutputError: If it cannot be written.
        """
        buffer = io.BytesIO()  # torch.save hides what the disk says, so the bytes are made first
        content = {
            "format": FORMAT,
            "version": VERSION,
            "config": self.config,
            "weights": dict(self.weights),
            "step": self.state.step,
            "optimizer": self.state.optimizer,
            "history": json.dumps(self.state.history),
            "seconds": self.state.seconds,
            "spectral": self.state.spectral,
            "vocabulary": self.vocabulary,
        }
        torch.save(content, buffer)
        write_atomically(path, buffer.getbuffer())

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Reads a checkpoint, to the CPU, without running any code that it might hold.

        Raises:
            CheckpointError: If it is missing, damaged, foreign, or of a newer format.
        """
        if not path.is_file():
            raise CheckpointError(
                f"there is no checkpoint at {path}; `mrtc train` writes one, with --out {path}"
            )
        content = _read(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise CheckpointError(
                f"{path} is no checkpoint of mrtc; give one that `mrtc train` wrote"
            )
        if content["version"] > VERSION:
            raise CheckpointError(
                f"{path} has checkpoint format {content['version']}, and this mrtc reads up to "
                f"{VERSION}; update mrtc"
            )
        state = TrainingState(
            content["step"],
            content["optimizer"],
            json.loads(content["history"]),
            content.get("seconds", math.nan),
            content.get("spectral", {}),
        )
        vocabulary = content.get("vocabulary", "")
        return cls(content["config"], content["weights"], state, vocabulary)


def _read(path: Path) -> object:
    try:
        is_archive = zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True) if is_archive else None
    except pickle.UnpicklingError:
        return None  # a file of torch with objects that are not tensors: not one of ours
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except (RuntimeError, EOFError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged: {str(error).splitlines()[0]}; train again, or use a copy"
        ) from error
