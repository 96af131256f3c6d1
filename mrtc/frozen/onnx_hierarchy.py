"""Frozen hierarchies as ONNX graphs."""

from collections.abc import Iterator
from math import prod
from typing import Any, cast

import numpy as np
import torch
from onnx import TensorProto
from torch import nn

from mrtc.frozen.frozen_vae import (
    Bend,
    BottomUp,
    Cell,
    Excite,
    FrozenHierarchy,
    Group,
    Scale,
    Squares,
    TopDown,
)
from mrtc.frozen.onnx_graphs import Graph

RESIZES: dict[str, dict[str, Any]] = {
    "nearest": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
}
"""How ONNX calls torch's ways to interpolate; of bilinear ones, that with aligned corners."""

OUTPUTS = {"bernoulli": "logits", "logistic_mixture": "parameters"}
"""What decoders give; means, for other likelihoods."""


def hierarchy(model: FrozenHierarchy) -> dict[str, Graph]:
    """``encoder``: x, noise to mean, log_sigma, z; ``decoder``: z to what ``decode`` gives."""
    codes = ("batch", model.about["codes"])
    encoder = HierarchyGraph(
        [
            ("x", TensorProto.FLOAT, ("batch", *model.about["shape"])),
            ("noise", TensorProto.FLOAT, codes),
        ]
    )
    moments = encoder.infer(model.top_down, encoder.features(model.encoder, "x"), "noise")
    for name, source in zip(("mean", "log_sigma", "z"), moments, strict=True):
        encoder.output(name, source, codes)
    decoder = HierarchyGraph([("z", TensorProto.FLOAT, codes)])
    decoded = decoder.layers(model.decoder, "z")
    with torch.no_grad():
        shape = model.decode(model.top_down.start.new_zeros(1, model.about["codes"])).shape[1:]
    name = OUTPUTS.get(model.about["likelihood"], "mean")
    decoder.output(name, decoded, ("batch", *shape))
    return {"encoder": encoder, "decoder": decoder}


class HierarchyGraph(Graph):
    """A graph of the layers of hierarchies."""

    def layers(self, module: nn.Module, x: str) -> str:
        """As :meth:`Graph.layers`."""
        match module:
            case nn.SiLU():
                return self.add("Mul", x, self.add("Sigmoid", x))
            case nn.ELU():
                return self.add("Elu", x, alpha=float(module.alpha))
            case nn.ZeroPad2d():
                left, right, top, bottom = module.padding
                pads = self.constant([0, 0, top, left, 0, 0, bottom, right])
                return self.add("Pad", x, pads)
            case nn.Upsample():
                scales = np.array([1, 1, module.scale_factor, module.scale_factor], np.float32)
                return self.add("Resize", x, "", self.constant(scales), **RESIZES[module.mode])
            case Scale():
                scaled = self.add("Mul", x, self.constant(module.scale))
                return self.add("Add", scaled, self.constant(module.shift))
            case Bend():
                most = self.constant(np.array(module.most, np.float32))
                return self.add("Mul", self.add("Tanh", self.add("Div", x, most)), most)
            case Squares():
                return self.add("SpaceToDepth", x, blocksize=2)
            case Excite():
                means = self.add("ReduceMean", x, axes=[2, 3], keepdims=0)
                scale = self.layers(module.inner, means)
                maps = self.add("Unsqueeze", scale, self.constant([2, 3]))
                return self.add("Mul", x, maps)
            case Cell():
                return self.add("Add", self.layers(module.skip, x), self.layers(module.inner, x))
            case TopDown():
                return self.descend(module, x)
        return super().layers(module, x)

    def features(self, encoder: nn.Module, x: str) -> list[str]:
        """What an encoder gives for each group, the top one's first."""
        (bottom_up,) = cast("tuple[BottomUp]", tuple(encoder.children()))
        found = []
        for step in bottom_up.steps:
            x = self.layers(step, x)
            found.append(x)
        return found[::-1]

    def descend(self, top_down: TopDown, u: str) -> str:
        """As :meth:`TopDown.forward`."""
        state = self.start(top_down, u)
        for group, codes in self.by_group(top_down, u):
            state, *prior = self.enter(group, state)
            state = self.leave(group, state, codes, prior)
        return state

    def infer(self, top_down: TopDown, features: list[str], noise: str) -> list[str]:
        """As :meth:`TopDown.infer`."""
        state, found = self.start(top_down, noise), []
        for seen, (group, drawn) in zip(features, self.by_group(top_down, noise), strict=True):
            state, *prior = self.enter(group, state)
            if group.of_state is not None:
                seen = self.add("Add", seen, self.layers(group.of_state, state))
            mean, log_sigma = self.halves(self.layers(group.posterior, seen))
            if prior:
                mean = self.add("Mul", mean, self.add("Exp", self.add("Neg", prior[1])))
            u = self.add("Add", mean, self.add("Mul", drawn, self.add("Exp", log_sigma)))
            state = self.leave(group, state, u, prior)
            found.append([self.add("Flatten", part, axis=1) for part in (mean, log_sigma, u)])
        return [self.add("Concat", *parts, axis=1) for parts in zip(*found, strict=True)]

    def start(self, top_down: TopDown, codes: str) -> str:
        """The first state, for as many examples as there are codes of."""
        rows = self.add("Shape", codes, start=0, end=1)
        shape = self.add("Concat", rows, self.constant(list(top_down.start.shape)), axis=0)
        return self.add("Expand", self.constant(top_down.start), shape)

    def by_group(self, top_down: TopDown, codes: str) -> Iterator[tuple[Group, str]]:
        """Each group with its part of the codes, as maps."""
        groups = cast("list[Group]", list(top_down.groups))
        sizes = [prod(group.shape) for group in groups]
        first = self.add("Split", codes, self.constant(sizes), outputs=len(groups), axis=1)
        for at, group in enumerate(groups):
            part = f"{first}.{at}" if at else first
            yield group, self.add("Reshape", part, self.constant([0, *group.shape]))

    def enter(self, group: Group, state: str) -> list[str]:
        """The state behind the cells, then mean and log sigma of the prior if it is not N(0, 1)."""
        state = self.layers(group.cells, state)
        return (
            [state]
            if group.prior is None
            else [state, *self.halves(self.layers(group.prior, state))]
        )

    def leave(self, group: Group, state: str, u: str, prior: list[str]) -> str:
        """The state with whitened codes in it."""
        z = u
        if prior:
            z = self.add("Add", prior[0], self.add("Mul", u, self.add("Exp", prior[1])))
        return self.layers(group.merge, self.add("Concat", state, z, axis=1))

    def halves(self, moments: str) -> tuple[str, str]:
        """Mean and log sigma from the channels of both."""
        mean = self.add("Split", moments, outputs=2, axis=1)
        return mean, f"{mean}.1"
