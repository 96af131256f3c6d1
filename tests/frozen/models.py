"""Untrained models of every architecture, moved far from their beginning, so that all shows."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from mrtc.architectures import (
    ConvConfig,
    LinearConfig,
    LSTMConfig,
    MLPConfig,
    ModelConfig,
    ResNetConfig,
    build_networks,
)
from mrtc.datasets.vocabulary import END, NUM_SPECIAL, PAD, START
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers import NoiseScale, RateGate
from mrtc.layers.cells import SqueezeExcite
from mrtc.layers.normalised import NormalisedConv2d
from mrtc.randomness import torch_stream
from mrtc.rates import BetaRange
from mrtc.vae import VAE
from tests.hierarchies import SMALL

BETAS = BetaRange(0.01, 10.0)
VOCABULARY = 23
SIZES = {"embedding": 6, "encoder": 5, "decoder": 7, "codes": 3}

CASES: dict[str, tuple[tuple[int, ...], ModelConfig]] = {
    **{
        f"mlp-{gated}": ((1, 8, 8), MLPConfig(hidden=16, codes=3, gated=gated))
        for gated in ("none", "inner", "hidden", "all")
    },
    **{
        f"linear-{gates}": ((2, 5), LinearConfig(codes=3, gates=gates))
        for gates in ("none", "paper", "exact")
    },
    **{
        f"conv-{design}-{place}": (
            (1, 64, 64),
            ConvConfig(3, "all", design=design, gate_place=place),
        )
        for design in ("burgess", "locatello", "chen")
        for place in ("before_norm", "after_norm")
    },
    "conv-chen-none": ((3, 64, 64), ConvConfig(3, "none", design="chen")),
    "conv-chen-inner": ((3, 64, 64), ConvConfig(3, "inner", "paper", design="chen")),
    "conv-chadebec": ((1, 28, 28), ConvConfig(3)),
    "resnet-28": ((1, 28, 28), ResNetConfig(3)),
    "resnet-32": ((3, 32, 32), ResNetConfig(3, "hidden", output="sigmoid")),
    "resnet-64": ((3, 64, 64), ResNetConfig(3, "none")),
    **{
        f"lstm-{setup}-{'head' if head else 'bare'}-{'gated' if gated else 'plain'}": (
            (VOCABULARY,),
            LSTMConfig(setup=setup, head_hidden=head, gated=gated, **SIZES),
        )
        for setup in ("texar", "he2019")
        for head in (False, True)
        for gated in (False, True)
    },
}
"""Shape of an example, and configuration: every architecture, design and place of gates."""

NVAE = replace(SMALL, image_side=12, padding=2)
HIERARCHIES: dict[str, tuple[tuple[int, ...], ModelConfig]] = {
    "nvae": ((1, 12, 12), NVAE),
    "nvae-plain": ((1, 12, 12), NVAE.plain()),
    "nvae-sqrt": ((1, 12, 12), replace(NVAE, gate="sqrt", gate_init="paper")),
    "nvae-three-scales": (
        (1, 16, 16),
        replace(NVAE, image_side=16, padding=0, scales=3, groups=1, block_cells=2, group_cells=2),
    ),
    "nvae-colours": (
        (3, 12, 12),
        replace(NVAE, output="logistic_mixture", likelihood_components=3),
    ),
    "nvae-means": ((3, 12, 12), replace(NVAE, output="sigmoid")),
    "nvae-levels": (
        (1, 12, 12),
        replace(NVAE.plain(), output="logistic_mixture", likelihood_components=2),
    ),
}
"""As ``CASES``; codes come in groups."""

MOVED: dict[type[nn.Module], float] = {
    **dict.fromkeys((RateGate, nn.BatchNorm1d, nn.BatchNorm2d, NoiseScale), 0.3),
    **dict.fromkeys((nn.Embedding, nn.LSTM), 0.5),
    NormalisedConv2d: 0.1,
}
"""How far parameters are moved; those of documents start small."""

IMAGES = [name for name in CASES if not name.startswith("lstm")]
DOCUMENTS = [name for name in CASES if name.startswith("lstm")]


def make(name: str, likelihood: str = "bernoulli") -> VAE:
    """In evaluation mode, with statistics of some batches in its batch normalisation."""
    shape, config = {**CASES, **HIERARCHIES}[name]
    stream = torch_stream(0, name)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(stream.get_state())
        encoder, decoder = build_networks(shape, config)
    betas = BetaRange(4.0, 4.0) if config.is_plain else BETAS
    noise = None
    if len(shape) == 1:
        likelihood = "tokens"
    elif getattr(config, "output", "logits") == "sigmoid":
        likelihood = "squared_error"
    elif getattr(config, "output", "logits") == "logistic_mixture":
        likelihood = "logistic_mixture"
    if likelihood == "gaussian":
        noise = NoiseScale(0.3, is_learned=True, is_gated=not config.is_plain)
    if name in HIERARCHIES:
        vae: VAE = HierarchicalVAE(encoder, decoder, betas, likelihood)
    else:
        vae = VAE(encoder, decoder, config.codes, betas, likelihood, noise)
    with torch.no_grad():
        for module in vae.modules():
            _move(module, stream)
        if likelihood == "tokens":
            for weight in (*vae.encoder.mean.parameters(), *vae.decoder.output.parameters()):
                weight += 0.5 * torch.randn(weight.shape, generator=stream)
        if likelihood != "tokens":
            for _ in range(3):
                vae(*batch(vae, shape, stream))
    return vae.eval()


def _move(module: nn.Module, stream: torch.Generator) -> None:
    """Norms and gates start alike in all channels; here they do not stay so."""
    far = next((far for kind, far in MOVED.items() if isinstance(module, kind)), 0.0)
    for parameter in module.parameters(recurse=False):
        parameter += far * torch.randn(parameter.shape, generator=stream)
    if isinstance(module, SqueezeExcite):
        module.squeeze.bias += 0.5  # else all of its few ReLUs may be closed


def batch(vae: VAE, shape: tuple[int, ...], stream: torch.Generator) -> tuple[Tensor, ...]:
    """Examples, betas and noise of a training step."""
    x = torch.rand(8, *shape, generator=stream).round()
    return x, vae.betas.draw(8, stream), torch.randn(8, vae.codes, generator=stream)


def documents(count: int, generator: torch.Generator) -> Tensor:
    """Of different lengths, one of them without words."""
    x = torch.full((count, 9), PAD)
    for row, length in enumerate(torch.randint(1, 8, (count,), generator=generator).tolist()):
        words = 0 if row == 1 else length
        x[row, : words + 2] = torch.tensor([START, *[NUM_SPECIAL] * words, END])
        drawn = torch.randint(NUM_SPECIAL, VOCABULARY, (words,), generator=generator)
        x[row, 1 : words + 1] = drawn
    return x


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Of two arrays, the largest, relative to the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())
