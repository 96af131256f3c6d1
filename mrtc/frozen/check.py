"""Whether a frozen model, or an ONNX graph of it, computes what it should; on random examples."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from mrtc.frozen.frozen_vae import LEVELS, FrozenHierarchy, FrozenTextVAE, FrozenVAE
from mrtc.randomness import torch_stream

EXAMPLES, POSITIONS = 6, 9
"""Random examples, and tokens of a document at most."""

Case = tuple[dict[str, Tensor], Sequence[Tensor]]
"""Inputs of a graph by name, and its outputs in order."""


def examples(model: FrozenVAE | FrozenTextVAE) -> tuple[Tensor, Tensor]:
    """Random examples (documents of different lengths), and draws from the prior, or noise."""
    stream = torch_stream(0, "frozen")
    z = torch.randn(EXAMPLES, model.about["codes"], generator=stream)
    if isinstance(model, FrozenVAE):
        x = torch.rand(EXAMPLES, *model.about["shape"], generator=stream)
        if model.about["likelihood"] == "logistic_mixture":  # which is of whole levels
            x = (x * (LEVELS - 1)).round() / (LEVELS - 1)
        return x, z
    size = (EXAMPLES, POSITIONS)
    x = torch.randint(model.unknown, model.about["sizes"]["tokens"], size, generator=stream)
    x[:, 0] = model.first
    ends = 1 + torch.arange(EXAMPLES)[:, None]
    position = torch.arange(POSITIONS)
    return x.where(position < ends, model.end).where(position <= ends, model.pad), z


def difference(ours: Iterable[Tensor], theirs: Iterable[Tensor]) -> float:
    """The largest of several arrays, each relative to its largest value, or to one if that is less.

    One is the scale of what comes out: codes have a standard normal prior, log sigmas, logits and
    log probabilities are in nats. NaN if any of the differences is.
    """
    found = [
        (a - b).abs().max() / b.abs().max().clamp(min=1) for a, b in zip(ours, theirs, strict=True)
    ]
    return float(torch.stack([each.double() for each in found]).max())  # Python's loses NaN


@torch.no_grad()
def cases(model: FrozenVAE | FrozenTextVAE) -> dict[str, Case]:
    """What each graph of :func:`mrtc.frozen.onnx_graphs.graphs` should make of some inputs.

    A decoder of documents is asked for all positions at once, and goes step by step here.
    """
    x, z = examples(model)
    if isinstance(model, FrozenVAE):
        encoder: Case = ({"x": x}, model.encode(x))
        if isinstance(model, FrozenHierarchy):
            encoder = ({"x": x, "noise": z}, model.infer(x, z))
        return {"encoder": encoder, "decoder": ({"z": z}, [model.decode(z)])}
    hidden, cell = state = model.start(z)
    words = x[:, :2].repeat(1, 2)  # without padding
    steps = []
    for tokens in words.unbind(1):
        logits, state = model.step(tokens, z, state)
        steps.append(logits)
    inputs = {"tokens": words, "z": z, "hidden": hidden, "cell": cell}
    return {
        "encoder": ({"tokens": x}, model.encode(x)),
        "start": ({"z": z}, [hidden, cell]),
        "decoder": (inputs, [torch.stack(steps, 1), *state]),
    }


def onnx_difference(graph: bytes, case: Case) -> float:
    """Of what ONNX Runtime computes on the CPU, and what it should, as :func:`difference`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    inputs, outputs = case
    results = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    return difference(map(torch.from_numpy, results), outputs)
