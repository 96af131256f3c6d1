"""Table 1: parameters of the image networks, plain and multi-rate, counted; nothing is trained."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

import pandas as pd
import torch
from torch import nn

from mrtc.architectures import ModelConfig, build_networks
from mrtc.architectures.mlp import GatedLayers
from mrtc.experiments.data import DATASETS
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import TABLE1, Sizes
from mrtc.experiments.figures.tables import markdown, write_tables
from mrtc.experiments.presets import ArchName, preset

ROWS: Mapping[str, str] = {
    "MNIST, Omniglot": "binarized-mnist",
    "CIFAR-10": "cifar10",
    "SVHN": "svhn",
    "CelebA": "celeba",
}
"""Datasets whose presets have the networks; the paper's table has one row for CIFAR-10 and SVHN,
which holds the numbers of CIFAR-10."""

ARCHITECTURES: tuple[ArchName, ...] = ("conv", "resnet")

CONDITIONING = 64
"""Hidden features of the networks that the published code has for batch normalisation."""

GATED = tuple(layers for layers in get_args(GatedLayers) if layers != "none")

HOW = (
    "Counted of the networks as they are built. Multi-rate networks have gates in `inner` layers, "
    "in `hidden` ones (the decoder's first layer too), or in `all` (the encoder's output too), "
    "which is what presets have. Published are the counts of the networks behind the paper's table "
    "1, which prints their first four digits with exponents ten times too small, and has no row "
    "for SVHN."
)


def draw(options: FigureOptions) -> list[Path]:
    """Counts the weights of the networks of the presets; writes ``table1.csv`` and ``table1.md``.

    Baselines agree with the published ones exactly. Of multi-rate networks the published counts are
    those of a form with gates behind the ReLUs, in the layers that ``gated="inner"`` has gates in;
    where they differ from ours still, the page says why.
    """
    rows, reasons = [], []
    for data, dataset in ROWS.items():
        for arch in ARCHITECTURES:
            config = preset(dataset, options.preset, "beta", arch)
            shape = DATASETS[dataset].image_shape
            published = TABLE1.get((data, arch))
            counts = {layers: _count(shape, config.model, layers) for layers in ("none", *GATED)}
            rows.append(
                {
                    "data": data,
                    "network": arch,
                    "codes": config.model.codes,
                    "plain": counts["none"],
                    **{f"multi-rate, {layers}": counts[layers] for layers in GATED},
                    "published plain": published and published.plain,
                    "published multi-rate": published and published.multirate,
                    "agree": _agreement(counts, published),
                }
            )
            if published and published.multirate not in counts.values():
                why = _why(_build(shape, config.model, "none"), arch, counts["inner"], published)
                reasons.append(f"- {data}, {arch}: {why}")
    table = pd.DataFrame(rows, dtype=object)
    page = [
        "# Parameters of image networks",
        HOW,
        markdown(table),
        "Multi-rate counts that no form here has:",
        "\n".join(reasons),
    ]
    return write_tables(options.folder, "table1", table, page)


def _build(shape: tuple[int, ...], model: ModelConfig, layers: str) -> tuple[nn.Module, nn.Module]:
    with torch.device("meta"):  # shapes without weights
        return build_networks(shape, replace(cast(Any, model), gated=layers))


def _count(shape: tuple[int, ...], model: ModelConfig, layers: str) -> int:
    networks = _build(shape, model, layers)
    return sum(weight.numel() for network in networks for weight in network.parameters())


def _agreement(counts: Mapping[str, int], published: Sizes | None) -> str:
    if published is None:
        return "-"
    agreeing = [layers for layers in GATED if counts[layers] == published.multirate]
    plain = ["plain"] if counts["none"] == published.plain else []
    return ", ".join([*plain, *(f"multi-rate, {layers}" for layers in agreeing)]) or "none"


def _why(
    networks: tuple[nn.Module, nn.Module], arch: ArchName, inner: int, published: Sizes
) -> str:
    """Where the count of a published multi-rate network comes from."""
    if arch == "conv":
        conditioned = inner + sum(
            _conditioning(module.num_features)
            for network in networks
            for module in network.modules()
            if isinstance(module, nn.BatchNorm2d)
        )
        rest = published.multirate - conditioned
        return (
            "the published network shifts scale and offset of each batch normalisation by two "
            f"networks of beta with {CONDITIONING} hidden features, which makes {inner:,} to "
            f"{conditioned:,}, {f'{rest:,} less than' if rest else 'exactly what'} is published. "
            "Here batch normalisation is the same at all betas."
        )
    return (
        f"it is {inner - published.multirate:,} smaller than `inner`, as is a network with a "
        "kernel of 3 in the layer between 64 and 3 channels where the published baseline has 4. "
        "Here both have the same layers."
    )


def _conditioning(features: int) -> int:
    """Weights of two networks, 1 - 64 - ``features``, with offsets."""
    return 2 * (2 * CONDITIONING + (CONDITIONING + 1) * features)
