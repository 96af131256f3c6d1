"""Frozen models as ONNX graphs, written node by node, so that any runtime can read them.

The graphs are made here and not traced by torch: they then do not depend on its version, and an
LSTM over documents of several lengths, which tracing cannot keep, is one node.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from jaxtyping import Shaped
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from mrtc.errors import MrtcError
from mrtc.frozen.frozen_vae import Append, FrozenHierarchy, FrozenTextVAE, FrozenVAE, Residual

OPSET, IR_VERSION = 17, 8
"""Old enough for runtimes from 2022 on."""

Port = tuple[str, int, tuple[str | int, ...]]
"""Name, element type and shape of an input or an output; axes of any length have names."""

GATE_ORDER = (0, 3, 1, 2)
"""Torch's blocks of an LSTM's weights (input, forget, cell, output), in the order of ONNX."""


def graphs(model: FrozenVAE | FrozenTextVAE) -> dict[str, onnx.ModelProto]:
    """Encoder and decoder, with any number of examples a batch, by name.

    Of arrays, ``encoder``: x to mean and log_sigma; ``decoder``: z to what :meth:`FrozenVAE.decode`
    gives, ``logits``, ``mean`` or ``parameters``. Of hierarchies the encoder takes noise too, and
    gives the draw z that it makes as well; noise of zeros makes that of posterior means.

    Of documents, ``encoder``: tokens (document, position), padded at the end, to mean and
    log_sigma; ``start``: z to hidden and cell; ``decoder``: tokens, z, hidden and cell to logits of
    what comes after each token, hidden and cell. One token a call is a step of writing; a whole
    document a call, without padding, is how its probability is computed.

    Raises:
        MrtcError: If the model has a layer that is not known here.
    """
    if isinstance(model, FrozenHierarchy):
        from mrtc.frozen.onnx_hierarchy import hierarchy  # which builds on this module

        made = hierarchy(model)
    else:
        made = _documents(model) if isinstance(model, FrozenTextVAE) else _arrays(model)
    return {name: graph.model(name) for name, graph in made.items()}


class Graph:
    """Nodes and constants, in the order in which they are added."""

    def __init__(self, inputs: Sequence[Port]) -> None:
        self.inputs, self.outputs = list(inputs), list[Port]()
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:  # noqa: ANN401 -- as each operator has them
        """One node; its output, or the first of them: the next has ``.1`` behind its name."""
        name = f"{op.lower()}_{len(self.nodes)}"
        names = [name, *(f"{name}.{at}" for at in range(1, outputs))]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return name

    def constant(self, value: Tensor | Shaped[np.ndarray, "*shape"] | list[int]) -> str:
        """A name for some numbers; lists are shapes and axes."""
        array = value.numpy(force=True) if isinstance(value, Tensor) else np.asarray(value)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def output(self, name: str, source: str, shape: tuple[str | int, ...]) -> None:
        """Gives a result its name."""
        self.nodes.append(helper.make_node("Identity", [source], [name]))
        self.outputs.append((name, TensorProto.FLOAT, shape))

    def layers(self, module: nn.Module, x: str) -> str:
        """Layers of a frozen model, one after another, from ``x``.

        Raises:
            MrtcError: If one of them is not known here.
        """
        match module:
            case nn.Sequential():
                for layer in module:
                    x = self.layers(layer, x)
                return x
            case nn.Linear():
                return self.linear(module, x)
            case nn.Conv2d() | nn.ConvTranspose2d():
                return self.convolution(module, x)
            case Residual():
                return self.add("Relu", self.add("Add", x, self.layers(module.inner, x)))
            case nn.Flatten():
                return self.add("Flatten", x, axis=1)
            case nn.Unflatten():
                shape = self.constant([0, *map(int, module.unflattened_size)])
                return self.add("Reshape", x, shape)
            case nn.ReLU() | nn.Tanh() | nn.Sigmoid():
                return self.add(type(module).__name__.capitalize(), x)
            case Append():
                rows = self.add("Shape", x, start=0, end=1)
                shape = self.add("Concat", rows, self.constant([len(module.value)]), axis=0)
                behind = self.add("Expand", self.constant(module.value), shape)
                return self.add("Concat", x, behind, axis=1)
        raise MrtcError(
            f"this model cannot be written as ONNX graphs: there is no operator for its layer "
            f"{type(module).__name__}; leave out --onnx, and use the .safetensors file"
        )

    def linear(self, layer: nn.Linear, x: str) -> str:
        """Of inputs with any number of axes."""
        product = self.add("MatMul", x, self.constant(layer.weight.T))
        return (
            product if layer.bias is None else self.add("Add", product, self.constant(layer.bias))
        )

    def convolution(self, layer: nn.Conv2d | nn.ConvTranspose2d, x: str) -> str:
        """Transposed, or not."""
        pads = [int(pad) for pad in layer.padding]
        options: dict[str, Any] = {
            "strides": list(layer.stride),
            "pads": pads * 2,
            "dilations": list(layer.dilation),
            "group": layer.groups,
        }
        if isinstance(layer, nn.ConvTranspose2d):
            options["output_padding"] = list(layer.output_padding)
        constants = [self.constant(layer.weight)]
        constants += [] if layer.bias is None else [self.constant(layer.bias)]
        op = type(layer).__name__.removesuffix("2d")
        return self.add(op, x, *constants, **options)

    def lstm(self, lstm: nn.LSTM, x: str, lengths: str, hidden: str, cell: str) -> str:
        """From (position, document, feature); outputs as the operator has them."""
        weights = [lstm.get_parameter(f"{name}_l0") for name in ("weight_ih", "weight_hh")]
        biases = [lstm.get_parameter(f"{name}_l0") for name in ("bias_ih", "bias_hh")]
        inputs = [self.constant(_in_order(weight)[None]) for weight in weights]
        bias = np.concatenate([_in_order(bias) for bias in biases])
        inputs += [self.constant(bias[None]), lengths, hidden, cell]
        return self.add("LSTM", x, *inputs, outputs=3, hidden_size=lstm.hidden_size)

    def model(self, name: str) -> onnx.ModelProto:
        """All of it, checked by ONNX's own rules."""
        inputs, outputs = (
            [helper.make_tensor_value_info(*port) for port in side]
            for side in (self.inputs, self.outputs)
        )
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="mrtc")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return model


def _in_order(weight: Tensor) -> Shaped[np.ndarray, "..."]:
    blocks = np.split(weight.numpy(force=True), 4)
    return np.concatenate([blocks[at] for at in GATE_ORDER])


def _arrays(model: FrozenVAE) -> dict[str, Graph]:
    shape, codes = tuple(model.about["shape"]), model.about["codes"]
    encoder = Graph([("x", TensorProto.FLOAT, ("batch", *shape))])
    moments = encoder.add(
        "Split",
        encoder.layers(model.encoder, "x"),
        encoder.constant([codes, codes]),
        outputs=2,
        axis=1,
    )
    for name, source in (("mean", moments), ("log_sigma", f"{moments}.1")):
        encoder.output(name, source, ("batch", codes))
    decoder = Graph([("z", TensorProto.FLOAT, ("batch", codes))])
    name = "logits" if model.about["likelihood"] == "bernoulli" else "mean"
    decoder.output(name, decoder.layers(model.decoder, "z"), ("batch", *shape))
    return {"encoder": encoder, "decoder": decoder}


def _documents(model: FrozenTextVAE) -> dict[str, Graph]:
    codes, features = model.about["codes"], model.about["sizes"]["decoder"]
    said = model.about["sizes"]["tokens"] - model.end
    return {
        "encoder": _text_encoder(model, codes),
        "start": _text_start(model, codes, features),
        "decoder": _text_decoder(model, codes, features, said),
    }


def _text_encoder(model: FrozenTextVAE, codes: int) -> Graph:
    encoder = model.encoder
    graph = Graph([("tokens", TensorProto.INT64, ("document", "position"))])
    pad = graph.constant(np.array(model.pad))
    is_token = graph.add("Not", graph.add("Equal", "tokens", pad))
    counted = graph.add("Cast", is_token, to=TensorProto.INT32)
    lengths = graph.add("ReduceSum", counted, graph.constant([1]), keepdims=0)
    read = graph.lstm(encoder.lstm, _embedded(graph, encoder.embedding), lengths, "", "")
    ends = [f"{read}.1", f"{read}.2"] if encoder.reads_cell else [f"{read}.1"]
    states = [graph.add("Squeeze", end, graph.constant([0])) for end in ends]
    state = graph.add("Concat", *states, axis=1)
    for name, head in (("mean", encoder.mean), ("log_sigma", encoder.log_sigma)):
        graph.output(name, graph.layers(head, state), ("document", codes))
    return graph


def _text_start(model: FrozenTextVAE, codes: int, features: int) -> Graph:
    graph = Graph([("z", TensorProto.FLOAT, ("document", codes))])
    state = graph.layers(model.decoder.first_state, "z")
    if model.decoder.makes_cell_only:
        hidden, cell = graph.add("Tanh", state), state
    else:
        halves = graph.constant([features, features])
        hidden = graph.add("Split", state, halves, outputs=2, axis=1)
        cell = f"{hidden}.1"
    graph.output("hidden", hidden, ("document", features))
    graph.output("cell", cell, ("document", features))
    return graph


def _text_decoder(model: FrozenTextVAE, codes: int, features: int, said: int) -> Graph:
    state = ("document", features)
    graph = Graph(
        [
            ("tokens", TensorProto.INT64, ("document", "position")),
            ("z", TensorProto.FLOAT, ("document", codes)),
            ("hidden", TensorProto.FLOAT, state),
            ("cell", TensorProto.FLOAT, state),
        ]
    )
    embedded = _embedded(graph, model.decoder.embedding)
    positions = graph.add("Shape", embedded, start=0, end=1)
    shape = graph.add("Concat", positions, graph.constant([1, 1]), axis=0)
    code = graph.add("Expand", graph.add("Unsqueeze", "z", graph.constant([0])), shape)
    inputs = graph.add("Concat", embedded, code, axis=2)
    first = [graph.add("Unsqueeze", part, graph.constant([0])) for part in ("hidden", "cell")]
    read = graph.lstm(model.decoder.lstm, inputs, "", *first)
    outputs = graph.add("Squeeze", read, graph.constant([1]))
    in_rows = graph.add("Transpose", outputs, perm=[1, 0, 2])
    logits = graph.layers(model.decoder.output, in_rows)
    graph.output("logits", logits, ("document", "position", said))
    for at, name in ((1, "next_hidden"), (2, "next_cell")):
        last = graph.add("Squeeze", f"{read}.{at}", graph.constant([0]))
        graph.output(name, last, state)
    return graph


def _embedded(graph: Graph, embedding: nn.Embedding) -> str:
    """(position, document, feature), as the LSTM has it."""
    by_position = graph.add("Transpose", "tokens", perm=[1, 0])
    return graph.add("Gather", graph.constant(embedding.weight), by_position)
