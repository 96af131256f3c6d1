"""Hierarchical networks at one rate code as plain ones."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from mrtc.architectures import NVAEDecoder, NVAEEncoder
from mrtc.architectures.nvae import MOST, GroupStage
from mrtc.errors import MrtcError
from mrtc.frozen.folded import Folded, Network, factors, norm_map
from mrtc.layers import Gated
from mrtc.layers.cells import (
    ADDED_SHARE,
    DecoderCell,
    DownSkip,
    EncoderCell,
    SqueezeExcite,
    UpSkip,
)


def fold_hierarchy(encoder: NVAEEncoder, decoder: NVAEDecoder, rate_code: Tensor) -> Network:
    """Gates, norms of weights, and batch normalisation go into the convolutions.

    The last where it stands right behind a convolution, or right before one of single pixels;
    before an activation it stays, as a scale and a shift of each channel. The share of a cell that
    is added to its skip connection goes into the cell's last convolution.

    Raises:
        MrtcError: If posteriors have flows.
    """
    flows = len(_items(decoder.stages)[0].flows)
    if flows:
        raise MrtcError(
            f"posteriors with flows cannot be frozen, and those of this model have {flows} a "
            "group; use the checkpoint itself, or train with flows=0"
        )
    parts = {"encoder": _bottom_up(encoder, rate_code), "decoder": _top_down(decoder, rate_code)}
    halvings = sum(cell.up for cell in _items(decoder.behind))
    side = decoder.groups[-1].side * 2**halvings - 2 * decoder.padding
    description = {
        "version": 2,
        "shape": [_weight(encoder.first).shape[1], side, side],
        "groups": [list(group.shape) for group in decoder.groups],
        **{part: folded.layers for part, folded in parts.items()},
    }
    return Network(parts, description)


def _bottom_up(encoder: NVAEEncoder, rate_code: Tensor) -> Folded:
    """A step for each group, from the bottom; features are what each gives."""
    into = Folded()
    if encoder.padding:
        into.add("ZeroPad2d", padding=encoder.padding)
    weight = _weight(encoder.first)
    ones = torch.ones(weight.shape[1])
    into.scale(2 * ones, -ones, weight.dtype)
    _cells(into.gated(encoder.first, rate_code), encoder.before, rate_code)
    steps: list[Folded] = []
    for scale, groups in enumerate(_items(encoder.scales)):
        for group, cells in enumerate(groups):
            step = into if not steps else Folded()
            down = [encoder.downs[scale - 1]] if scale and not group else []
            steps.append(_cells(step, [*down, *cells], rate_code))
    steps[-1].add("ELU").gated(encoder.top, rate_code).add("ELU")
    folded = Folded()
    for at, step in enumerate(steps):
        folded.include(f"steps.{at}", step)
    return folded.add("BottomUp", steps=[step.layers for step in steps])


def _top_down(decoder: NVAEDecoder, rate_code: Tensor) -> Folded:
    """The groups as one layer, then those from the last state to the image."""
    folded, ups, groups = Folded(), iter(decoder.ups), []
    above = decoder.groups[0].side
    for at, (stage, group) in enumerate(zip(_items(decoder.stages), decoder.groups, strict=True)):
        parts = _group(stage, [next(ups)] if group.side > above else [], rate_code)
        for name, part in parts.items():
            folded.include(f"groups.{at}.{name}", part)
        groups.append(
            {"shape": list(group.shape)} | {name: part.layers for name, part in parts.items()}
        )
        above = group.side
    folded.constant("start", decoder.start)
    folded.add("TopDown", start=list(decoder.start.shape), groups=groups)
    _cells(folded, decoder.behind, rate_code).add("ELU").gated(decoder.output, rate_code)
    if decoder.padding:
        folded.add("ZeroPad2d", padding=-decoder.padding)
    return folded.add("Sigmoid") if decoder.output_kind == "sigmoid" else folded


def _group(stage: GroupStage, up: list[nn.Module], rate_code: Tensor) -> dict[str, Folded]:
    """What :class:`mrtc.frozen.frozen_vae.Group` is made of."""
    prior, of_state = Folded(), Folded()
    if stage.to_prior is not None and stage.of_state is not None:
        prior.add("ELU").gated(stage.to_prior, rate_code).add("Bend", most=MOST)
        of_state.gated(stage.of_state, rate_code)
    return {
        "cells": _cells(Folded(), [*up, *stage.cells], rate_code),
        "prior": prior,
        "of_state": of_state,
        "posterior": Folded().gated(stage.to_posterior, rate_code).add("Bend", most=MOST),
        "merge": Folded().gated(stage.of_codes, rate_code),
    }


def _cells(folded: Folded, cells: Iterable[nn.Module], rate_code: Tensor) -> Folded:
    for cell in cells:
        match cell:
            case EncoderCell():
                inner = _encoder_cell(cell, rate_code)
            case DecoderCell():
                inner = _decoder_cell(cell, rate_code)
            case _:
                raise TypeError(f"only cells of mrtc.layers.cells can be folded, got {cell!r}")
        folded.nest("Cell", skip=_skip(cell.skip, rate_code), inner=inner)
    return folded


def _encoder_cell(cell: EncoderCell, rate_code: Tensor) -> Folded:
    first, second = _items(cell.convolutions)
    kept, folded_in = map(norm_map, _items(cell.norms))
    inner = Folded().scale(*kept, _weight(first).dtype).add("SiLU")
    _normalised(inner, first, folded_in, rate_code).add("SiLU")
    inner.affine(second.layer, ADDED_SHARE * _gate(second, rate_code))
    return _excite(inner, cell.squeeze_excite)


def _decoder_cell(cell: DecoderCell, rate_code: Tensor) -> Folded:
    (columns, added), *behind = map(norm_map, _items(cell.norms))
    scale, shift = behind[0]
    gate = _gate(cell.expand, rate_code)
    inner = Folded().affine(cell.expand.layer, gate * scale, shift, columns, added).add("SiLU")
    if cell.up:
        inner.add("Upsample", scale_factor=2.0, mode="nearest")
    _normalised(inner, cell.see, behind[1], rate_code).add("SiLU")
    scale, shift = behind[2]
    _normalised(inner, cell.reduce, (ADDED_SHARE * scale, ADDED_SHARE * shift), rate_code)
    return _excite(inner, cell.squeeze_excite)


def _skip(skip: nn.Module | None, rate_code: Tensor) -> Folded:
    match skip:
        case DownSkip():
            return Folded().add("SiLU").add("Squares").gated(skip.gated, rate_code)
        case UpSkip():
            folded = Folded().gated(skip.gated, rate_code)
            return folded.add("Upsample", scale_factor=2.0, mode="bilinear", align_corners=True)
    return Folded()


def _normalised(
    folded: Folded, gated: Gated, norm: tuple[Tensor, Tensor], rate_code: Tensor
) -> Folded:
    """A convolution, its gate, then batch normalisation."""
    scale, shift = norm
    return folded.affine(gated.layer, _gate(gated, rate_code) * scale, shift)


def _excite(folded: Folded, excite: SqueezeExcite) -> Folded:
    """Behind maps that are scaled by the share that is added: means are taken of all of it."""
    whole = torch.full((excite.squeeze.in_features,), 1 / ADDED_SHARE, dtype=torch.float64)
    inner = Folded().affine(excite.squeeze, columns=whole).add("ReLU")
    return folded.nest("Excite", inner=inner.affine(excite.excite).add("Sigmoid"))


def _gate(gated: Gated, rate_code: Tensor) -> Tensor:
    """Its factors; ones where there is none."""
    found = factors(gated.gate, rate_code)
    ones = torch.ones(len(_weight(gated)), dtype=torch.float64)
    return ones if found is None else found


def _weight(gated: Gated) -> Tensor:
    return gated.layer.get_parameter("weight")


def _items(modules: nn.Module) -> list[Any]:
    """Of a list, of which torch does not say what modules are in it."""
    return list(modules.children())
