"""Networks at one rate code as plain ones: gates and batch normalisation go into the layers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrtc.architectures import (
    ConvDecoder,
    ConvEncoder,
    LinearDecoder,
    LinearEncoder,
    LSTMDecoder,
    LSTMEncoder,
    MLPDecoder,
    MLPEncoder,
    NVAEDecoder,
    NVAEEncoder,
    ResNetDecoder,
    ResNetEncoder,
)
from mrtc.architectures.image_networks import ImageDecoder, ImageEncoder
from mrtc.datasets.vocabulary import END, PAD, START, UNKNOWN
from mrtc.errors import MrtcError
from mrtc.frozen.fold_hierarchy import fold_hierarchy
from mrtc.frozen.folded import Folded, Network, factors
from mrtc.frozen.frozen_vae import FrozenTextVAE, FrozenVAE, build

VERSION = 1
"""Of descriptions without groups, which the first readers read."""


def fold(
    encoder: nn.Module,
    decoder: nn.Module,
    rate_code: Float[Tensor, "1"],
    about: dict[str, Any],
) -> FrozenVAE | FrozenTextVAE:
    r"""A plain model that computes what the two networks compute at one rate code.

    With a gate g, batch normalisation is :math:`y \mapsto s(gy - m) + t` or, with the gate behind
    it, :math:`y \mapsto g(s(y - m) + t)`, where :math:`s = \gamma / \sqrt{v + \epsilon}` in
    evaluation mode: affine in each channel, so it goes into the rows and the bias of the layer
    before it. Gates on embeddings scale their tables, gates on inputs the columns of what reads
    them. Products are in float64, and rounded once to the precision of the weights.

    Args:
        encoder: In evaluation mode, of one of ``ARCHITECTURES``.
        decoder: Of the same architecture.
        rate_code: Log beta, standardised, see :meth:`mrtc.rates.BetaRange.standardise`.
        about: What is to stand in the description: ``beta``, ``likelihood``, ``log_sigma`` and
            ``codes`` at least.

    Returns:
        The model, on the CPU, with weights of its own.

    Raises:
        MrtcError: If folded weights are not finite, or codes go through flows.
        TypeError: If the networks are of another kind.
        ValueError: If they are in training mode, or their batch normalisation keeps no running
            statistics: its output then depends on the batch, and no weights can say that.
    """
    name = _architecture(encoder, decoder)
    if encoder.training or decoder.training:
        raise ValueError(
            "a model in training mode cannot be frozen: what it computes then depends on the "
            "batch; call eval() on it first"
        )
    with torch.no_grad():
        network = ARCHITECTURES[name].fold(encoder, decoder, rate_code)
    weights = {
        f"{part}.{of}": tensor
        for part, folded in network.parts.items()
        for of, tensor in folded.weights.items()
    }
    broken = [of for of, tensor in weights.items() if not tensor.isfinite().all()]
    if broken:
        raise MrtcError(
            f"the weights cannot be folded: {len(broken)} of {len(weights)} arrays are not finite, "
            f"{broken[0]} first; train again, or freeze an earlier checkpoint"
        )
    frozen = build(
        {"version": VERSION, "architecture": name, **about, **network.description}, weights
    )
    if isinstance(frozen, FrozenVAE) and "shape" not in frozen.about:
        zero = torch.zeros(1, about["codes"], dtype=next(frozen.parameters()).dtype)
        frozen.about["shape"] = list(frozen.decode(zero).shape[1:])
    return frozen


def _architecture(encoder: nn.Module, decoder: nn.Module) -> str:
    for name, known in ARCHITECTURES.items():
        if isinstance(encoder, known.encoder) and isinstance(decoder, known.decoder):
            return name
    raise TypeError(
        f"only {', '.join(ARCHITECTURES)} networks can be frozen, got {type(encoder).__name__} and "
        f"{type(decoder).__name__}; fold others by hand, with mrtc.frozen.folded"
    )


def _mlp(encoder: MLPEncoder, decoder: MLPDecoder, rate_code: Tensor) -> Network:
    into = Folded().add("Flatten").gated(encoder.first, rate_code).add("ReLU")
    into.gated(encoder.second, rate_code).add("ReLU").gated(encoder.head, rate_code)
    out = Folded()
    for gated in (decoder.first, decoder.second, decoder.third):
        out.gated(gated, rate_code).add("Tanh")
    return _arrays(into, out.affine(decoder.output).image(decoder.image_shape))


def _linear(encoder: LinearEncoder, decoder: LinearDecoder, rate_code: Tensor) -> Network:
    into = Folded().add("Flatten").gated(encoder.mean, rate_code)
    into.append(0.5 * encoder.log_variance(rate_code)[0])
    out = Folded().affine(decoder.output, columns=factors(decoder.gate, rate_code))
    return _arrays(into, out.image(decoder.image_shape))


def _images(encoder: ImageEncoder, decoder: ImageDecoder, rate_code: Tensor) -> Network:
    into = Folded().modules([encoder.first, *encoder.rest], rate_code).add("Flatten")
    into.modules(encoder.dense, rate_code).gated(encoder.head, rate_code)
    out = Folded().modules(decoder.dense, rate_code).image(decoder.start_shape)
    out.modules(decoder.hidden, rate_code).affine(decoder.output)
    return _arrays(into, out.add("Sigmoid") if decoder.output_kind == "sigmoid" else out)


def _arrays(encoder: Folded, decoder: Folded) -> Network:
    description = {"encoder": encoder.layers, "decoder": decoder.layers}
    return Network({"encoder": encoder, "decoder": decoder}, description)


def _lstm(encoder: LSTMEncoder, decoder: LSTMDecoder, rate_code: Tensor) -> Network:
    state = factors(encoder.state_gate, rate_code)
    layers = {}
    for part, head in (("mean", encoder.mean), ("log_sigma", encoder.log_sigma)):
        folded = Folded()
        if head.hidden is None:
            folded.gated(head.output, rate_code, columns=state)
        else:
            folded.gated(head.hidden, rate_code, columns=state).add("ReLU")
            folded.gated(head.output, rate_code)
        layers[f"encoder.{part}"] = folded
    layers["decoder.first_state"] = Folded().gated(decoder.first_state, rate_code)
    layers["decoder.output"] = Folded().affine(decoder.output)
    tables = {
        "encoder.embedding": Folded().table(encoder.embedding, encoder.embedding_gate, rate_code),
        "decoder.embedding": Folded().table(decoder.embedding, decoder.embedding_gate, rate_code),
        "encoder.lstm": Folded().lstm(encoder.lstm),
        "decoder.lstm": Folded().lstm(decoder.lstm),
    }
    tokens, embedding = encoder.embedding.weight.shape
    description = {
        "sizes": {
            "tokens": tokens,
            "embedding": embedding,
            "encoder": encoder.lstm.hidden_size,
            "decoder": decoder.lstm.hidden_size,
        },
        "special": {"pad": PAD, "start": START, "end": END, "unknown": UNKNOWN},
        "reads_cell": encoder.reads_cell,
        "makes_cell_only": not decoder.is_texar,
        "words": [],
        **{part.split(".")[1]: folded.layers for part, folded in layers.items()},
    }
    return Network(layers | tables, description)


class Architecture(NamedTuple):
    """How one kind of networks is folded."""

    encoder: type[nn.Module]
    decoder: type[nn.Module]
    fold: Callable[[Any, Any, Tensor], Network]


ARCHITECTURES = {
    "mlp": Architecture(MLPEncoder, MLPDecoder, _mlp),
    "linear": Architecture(LinearEncoder, LinearDecoder, _linear),
    "conv": Architecture(ConvEncoder, ConvDecoder, _images),
    "resnet": Architecture(ResNetEncoder, ResNetDecoder, _images),
    "lstm": Architecture(LSTMEncoder, LSTMDecoder, _lstm),
    "nvae": Architecture(NVAEEncoder, NVAEDecoder, fold_hierarchy),
}
"""All that can be frozen."""
