"""Which layers of a network that somebody else wrote get gates, and which cannot have any."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mrtc.architectures.wrapped import Layer, full_name
from mrtc.errors import MrtcError

GatePredicate = Callable[[str, nn.Module], bool]

GateChoice = GatePredicate | Collection[str] | None
"""Full names of the layers that get gates; or whether a layer, of those that would, gets one."""

WEIGHTS = ("weight", "bias")

SHAPING = (nn.Flatten, nn.Unflatten, nn.Identity)

FAILURES = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    AssertionError,
)
"""What a network raises on input that it was not made for."""


@dataclass(frozen=True)
class Trial:
    """What was seen when a network ran once."""

    output: Any
    called: tuple[str, ...]
    """Names of the layers that ran, the last one last."""
    unscaled: tuple[str, ...]
    """Names of those whose output does not scale with their weights."""
    ends_in_sigmoid: bool


def try_out(network: nn.Module, x: Tensor, where: str) -> Trial:
    """Runs ``network`` in evaluation mode, and leaves it as it was.

    Raises:
        MrtcError: If it does not run on ``x``.
    """
    called: dict[str, None] = {}
    unscaled: dict[str, None] = {}
    last: list[nn.Module] = []
    testing = False

    def note(name: str, module: nn.Module) -> Callable[..., None]:
        def hook(_: nn.Module, args: Any, kwargs: Any, out: Any) -> None:  # noqa: ANN401 -- torch's
            nonlocal testing
            if testing:
                return
            if not isinstance(module, SHAPING):
                last[:] = [module]
            if isinstance(module, Layer):
                called.pop(name, None)
                called[name] = None
                testing = True
                if not _scales(module, args, kwargs, out):
                    unscaled[name] = None
                testing = False

        return hook

    handles = [
        module.register_forward_hook(note(name, module), with_kwargs=True)
        for name, module in network.named_modules()
        if isinstance(module, Layer) or not any(module.children())
    ]
    try:
        with torch.no_grad(), evaluating(network):
            out = network(x)
    except FAILURES as error:
        raise MrtcError(
            f"the {where} does not run on a batch of shape {tuple(x.shape)}: "
            f"{' '.join(str(error).split())[:200]}; give latent= as the networks have it, and a "
            "few examples as examples="
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    ends_in_sigmoid = bool(last) and isinstance(last[0], nn.Sigmoid)
    return Trial(out, tuple(called), tuple(unscaled), ends_in_sigmoid)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Within, ``network`` is in evaluation mode; behind, each module is in the mode it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _scales(layer: nn.Module, args: Any, kwargs: Any, out: Any) -> bool:  # noqa: ANN401 -- torch's
    """Whether the output is doubled with the weights, as a gate in the weights assumes.

    Torch's own layers do that; a subclass may standardise its weights, or add something else.
    """
    weights = {name: getattr(layer, name) for name in WEIGHTS if _is_own(layer, name)}
    doubled = torch.func.functional_call(
        layer, {name: 2 * weight for name, weight in weights.items()}, args, kwargs
    )
    return isinstance(out, Tensor) and torch.allclose(doubled, 2 * out, rtol=1e-2, atol=1e-5)


def _is_own(layer: nn.Module, name: str) -> bool:
    """Not computed from others, as parametrisations do."""
    return isinstance(getattr(layer, name), nn.Parameter)


def choose_layers(
    networks: Mapping[str, nn.Module],
    trials: Mapping[str, Trial],
    gate: GateChoice,
) -> dict[str, list[str]]:
    """The layers that get gates, by network.

    By default all that ran, but for the decoder's last: its output is the likelihood's.

    Raises:
        MrtcError: If there are none, a named one is not there, or one cannot have a gate.
    """
    named = gate if isinstance(gate, Collection) else None
    wants: GatePredicate = gate if callable(gate) else lambda _name, _layer: True
    candidates = {
        where: {
            name: module
            for name, module in network.named_modules()
            if isinstance(module, Layer) and name in trials[where].called
        }
        for where, network in networks.items()
    }
    chosen: dict[str, list[str]] = {}
    for where, layers in candidates.items():
        spared = trials[where].called[-1:] if where == "decoder" else ()
        if named is not None:
            chosen[where] = [name for name in layers if full_name(where, name) in named]
            continue
        chosen[where] = [
            name
            for name, layer in layers.items()
            if name not in spared and wants(full_name(where, name), layer)
        ]
        if not chosen[where]:
            raise MrtcError(
                f"the {where} has no layer to gate: of {_kinds(networks[where])}, "
                f"{len(layers)} ran as linear or convolutional layers, and of these {len(spared)} "
                "is the decoder's last, which has none by default; use a network with such layers, "
                "or name those of the other network by gate=[...]"
            )
    known = {full_name(where, name) for where, layers in candidates.items() for name in layers}
    unknown = [] if named is None else [name for name in named if name not in known]
    if unknown or (named is not None and not named):
        raise MrtcError(
            f"gate={list(named or ())} has {', '.join(unknown) or 'no name'}"
            f"{', which cannot have a gate' if unknown else ''}; choose among "
            f"{', '.join(sorted(known))}"
        )
    _require_gateable(networks, trials, chosen)
    return chosen


def _kinds(network: nn.Module) -> str:
    kinds = {type(module).__name__ for module in network.modules() if _owns_weights(module)}
    return ", ".join(sorted(kinds)) or "modules without weights"


def _require_gateable(
    networks: Mapping[str, nn.Module],
    trials: Mapping[str, Trial],
    chosen: Mapping[str, list[str]],
) -> None:
    owners: dict[int, list[str]] = {}
    for where, network in networks.items():
        for name, module in network.named_modules():
            for weight in module.parameters(recurse=False):
                owners.setdefault(id(weight), []).append(full_name(where, name))
    for where, names in chosen.items():
        for name in names:
            layer, layer_name = networks[where].get_submodule(name), full_name(where, name)
            if parametrize.is_parametrized(layer) or not _is_own(layer, "weight"):
                raise MrtcError(
                    f"the weight of {layer_name} is not its own but computed, by "
                    f"{_computed_by(layer)}, so a gate cannot be folded into it; remove that, or "
                    "leave the layer without a gate by gate="
                )
            for weight in layer.parameters(recurse=False):
                if len(owners[id(weight)]) > 1:
                    raise MrtcError(
                        f"the layers {' and '.join(owners[id(weight)])} share a weight, which "
                        "cannot be scaled by the gate of one of them; give each a weight of its "
                        "own, or leave them without gates by gate="
                    )
            if name in trials[where].unscaled:
                raise MrtcError(
                    f"the output of {layer_name}, a {type(layer).__name__}, does not scale with "
                    "its weight and bias, so a gate cannot be folded into them; leave the layer "
                    "without a gate by gate="
                )


def _computed_by(layer: nn.Module) -> str:
    if not parametrize.is_parametrized(layer):
        return "a hook such as that of torch.nn.utils.weight_norm"
    parametrizations = layer.get_submodule("parametrizations")
    steps = [step for part in parametrizations.children() for step in part.children()]
    return ", ".join(type(step).__name__ for step in steps)


def _owns_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))


def ungated(
    where: str, network: nn.Module, chosen: Collection[str], trial: Trial
) -> dict[str, str]:
    """The modules with weights but without gates, by their full names, and why they have none."""

    def reason(name: str, module: nn.Module) -> str:
        if not isinstance(module, Layer):
            return f"{type(module).__name__} has no gate"
        if name not in trial.called:
            return "does not run by itself"
        if where == "decoder" and name == trial.called[-1]:
            return "the last layer of the decoder"
        return "left out"

    return {
        full_name(where, name): reason(name, module)
        for name, module in network.named_modules()
        if _owns_weights(module) and name not in chosen
    }
