"""A checkpoint at one beta as files for people who have no mrtc."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from mrtc.datasets.vocabulary import Vocabulary
from mrtc.distributions import Bernoulli
from mrtc.errors import MrtcError
from mrtc.experiments.run import load_vae
from mrtc.files import claim, write_atomically
from mrtc.frozen import FrozenHierarchy, FrozenTextVAE, FrozenVAE, frozen_vae
from mrtc.frozen.check import cases, difference, examples, onnx_difference
from mrtc.token_sequences import TokenSequences
from mrtc.vae import VAE

LARGEST, LARGEST_ONNX = 1e-5, 1e-4
"""Differences that are put down to rounding: from the checkpoint, and of ONNX from the frozen."""


@dataclass(frozen=True)
class Frozen:
    """What was written, and how near it is."""

    paths: tuple[Path, ...]
    """Weights, the Python file that reads them, then ONNX graphs if any."""
    difference: float
    """From the checkpoint's model, relative, see :func:`mrtc.frozen.check.difference`."""
    onnx_difference: float | None
    """Of the graphs from the frozen model; None if there are none."""
    usage: str
    """Three lines of Python."""


def freeze(
    checkpoint: Path | str,
    beta: float | None = None,
    *,
    out: Path | str | None = None,
    onnx: bool = False,
    force: bool = False,
) -> Frozen:
    """Writes the model of a checkpoint at one beta, with its gates folded into plain layers.

    Beside the weights goes ``frozen_vae.py``, which reads them and needs no mrtc. Everything is
    compared with the checkpoint's model on random examples before it is written.

    Args:
        checkpoint: That ``mrtc train`` wrote.
        beta: In the trained range; left out, that of a baseline.
        out: The weights (``.safetensors``); ``CKPT-betaB.safetensors`` if left out.
        onnx: Also write encoder and decoder as ONNX graphs, beside the weights.
        force: Overwrite what is there.

    Raises:
        BetaError: If beta lies outside the trained range, or is missing.
        CheckpointError: If the checkpoint cannot be used.
        MrtcError: If what was folded computes something else, or ``out`` is no ``.safetensors``,
            or ONNX is not installed.
        OutputError: If a file exists and ``force`` is not given, or cannot be written.
    """
    path = Path(checkpoint)
    vae, config, loaded = load_vae(path)
    frozen = vae.freeze(beta)
    name = f"{path.stem}-beta{frozen.about['beta']:g}.safetensors"
    weights = path.with_name(name) if out is None else Path(out)
    if weights.suffix != ".safetensors":
        raise MrtcError(f"frozen models are .safetensors files, got --out {weights}; rename it")
    frozen.about |= {"dataset": config.dataset, "fingerprint": loaded.fingerprint()}
    if isinstance(frozen, FrozenTextVAE):
        vocabulary = Vocabulary.from_json(loaded.vocabulary)
        frozen.about |= {
            "words": list(vocabulary.known),
            "tokenisation": vocabulary.tokenisation,
            "shape": [],
        }
    files = _files(frozen, weights, onnx=onnx)
    for file, content in files.items():
        if not (file.is_file() and file.read_bytes() == content):
            claim(file, force=force)
    _require_near(nearness := _difference(vae, frozen), LARGEST, f"{path} at this beta")
    onnx_nearness = _onnx_difference(frozen, files, weights) if onnx else None
    for file, content in files.items():
        write_atomically(file, content)
    return Frozen(tuple(files), nearness, onnx_nearness, _usage(frozen, weights))


def _files(frozen: FrozenVAE | FrozenTextVAE, weights: Path, *, onnx: bool) -> dict[Path, bytes]:
    """Contents by name; all in memory, so that none is written if one is wrong."""
    reader = Path(frozen_vae.__file__)
    files = {weights: frozen.to_bytes(), weights.with_name(reader.name): reader.read_bytes()}
    if onnx:
        try:
            from mrtc.frozen.onnx_graphs import graphs
        except ImportError as error:
            raise _onnx_missing(error) from error
        for name, graph in graphs(frozen).items():
            files[_graph_path(weights, name)] = graph.SerializeToString()
    return files


def _graph_path(weights: Path, name: str) -> Path:
    return weights.with_name(f"{weights.stem}-{name}.onnx")


@torch.no_grad()
def _difference(vae: VAE, frozen: FrozenVAE | FrozenTextVAE) -> float:
    """Of the moments of codes and of what the decoder gives."""
    x, z = examples(frozen)
    beta = frozen.about["beta"]
    posterior, likelihood = vae.encode(x, beta), vae.decode(z, beta)
    if isinstance(likelihood, TokenSequences):
        assert isinstance(frozen, FrozenTextVAE)  # noqa: S101 -- folded from the same model
        tokens = x[:, 0]
        theirs, _ = likelihood.model.step(tokens, z, likelihood.rate_code, None)
        ours, _ = frozen.step(tokens, z, frozen.start(z))
    else:
        assert isinstance(frozen, FrozenVAE)  # noqa: S101 -- as above
        theirs = likelihood.logits if isinstance(likelihood, Bernoulli) else likelihood.mean
        ours = frozen.decode(z) if isinstance(likelihood, Bernoulli) else frozen.mean(z)
    found = [*frozen.encode(x), ours, frozen.log_prob(x, z)]
    expected = [posterior.mean, posterior.log_sigma, theirs, likelihood.log_prob(x)]
    if isinstance(frozen, FrozenHierarchy):  # its moments are others along a draw
        drawn = vae.infer(vae.encoder.stem(x), beta, z)
        found += frozen.infer(x, z)
        expected += [drawn.posterior.mean, drawn.posterior.log_sigma, drawn.z]
    return difference(found, expected)


def _onnx_difference(
    frozen: FrozenVAE | FrozenTextVAE, files: dict[Path, bytes], weights: Path
) -> float:
    nearness = 0.0
    for name, case in cases(frozen).items():
        path = _graph_path(weights, name)
        try:
            found = onnx_difference(files[path], case)
        except ImportError as error:
            raise _onnx_missing(error) from error
        _require_near(found, LARGEST_ONNX, str(path))
        nearness = max(nearness, found)
    return nearness


def _require_near(found: float, largest: float, what: str) -> None:
    """NaN is not near."""
    if not found <= largest:
        raise MrtcError(
            f"{what} cannot be frozen exactly: on random examples the frozen model differs by "
            f"{found:.1e} of the values' scale, and up to {largest:.0e} is rounding; nothing was "
            "written: use the checkpoint itself, or another beta"
        )


def _onnx_missing(error: ImportError) -> MrtcError:
    return MrtcError(
        f"ONNX is not installed ({error}); install it with `pip install 'mrtc[onnx]'`, or leave "
        "out --onnx"
    )


def _usage(frozen: FrozenVAE | FrozenTextVAE, weights: Path) -> str:
    name = json.dumps(weights.name, ensure_ascii=False)  # in quotes, whatever it holds
    lines = ["from frozen_vae import load", f"model = load({name})"]
    if isinstance(frozen, FrozenVAE):
        shape = ", ".join(["batch", *map(str, frozen.about["shape"])])
        lines.append(f"mean, log_sigma = model.encode(x)  # ({shape}); model.mean(z) goes back")
    else:
        lines.append('mean, log_sigma = model.encode(model.tokens([["a", "text"]]))')
    return "\n".join(lines)
