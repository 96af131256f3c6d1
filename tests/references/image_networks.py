"""The plain image networks of the literature, written out layer by layer."""

import torch
from torch import Tensor, nn

from mrtc.layers import Gated, Unit

C, T, L = nn.Conv2d, nn.ConvTranspose2d, nn.Linear


class Block(nn.Module):
    """Two convolutions beside a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = C(128, 128, 3, padding=1), C(128, 128, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.b(torch.relu(self.a(x))))


def relu(*layers: nn.Module) -> list[nn.Module]:
    """Each with a ReLU behind it."""
    return [module for layer in layers for module in (layer, nn.ReLU())]


def normed(*layers: nn.Module) -> list[nn.Module]:
    """Each with batch normalisation and a ReLU behind it."""
    out: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, L):
            out += [layer, nn.BatchNorm1d(layer.out_features), nn.ReLU()]
        else:
            out += [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()]
    return out


def cube(features: int, side: int) -> nn.Module:
    return nn.Unflatten(1, (features, side, side))


def reference(name: str, side: int, k: int, z: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder to both moments, and decoder to logits, for ``k`` channels and ``z`` codes."""
    flat = nn.Flatten()
    conv_body = normed(
        C(k, 128, 4, 2, 1), C(128, 256, 4, 2, 1), C(256, 512, 4, 2, 1), C(512, 1024, 4, 2, 1)
    )
    strided = relu(C(k, 64, 4, 2, 1), C(64, 128, 4, 2, 1))
    blocks = [Block(), Block()]
    match name, side:
        case "chadebec", 28:
            encoder = [*conv_body, flat, L(1024, 2 * z)]
            up = normed(T(1024, 512, 3, 2, 1), T(512, 256, 3, 2, 1, 1))
            decoder = [L(z, 16384), cube(1024, 4), *up, T(256, k, 3, 2, 1, 1)]
        case "chadebec", 32:
            encoder = [*conv_body, flat, L(4096, 2 * z)]
            up = normed(T(1024, 512, 4, 2, 1), T(512, 256, 4, 2, 1, 1))
            decoder = [L(z, 65536), cube(1024, 8), *up, T(256, k, 4, 1, 2)]
        case "chadebec", 64:
            encoder = [*conv_body, flat, L(16384, 2 * z)]
            up = normed(T(1024, 512, 5, 2, 2), T(512, 256, 5, 2, 1), T(256, 128, 5, 2, 2, 1))
            decoder = [L(z, 65536), cube(1024, 8), *up, T(128, k, 5, 1, 1)]
        case "resnet", 28:
            encoder = [*strided, *relu(C(128, 128, 3, 2, 1)), *blocks, flat, L(2048, 2 * z)]
            up = [*relu(T(128, 128, 3, 2, 1)), Block(), Block(), *relu(T(128, 64, 3, 2, 1, 1))]
            decoder = [L(z, 2048), cube(128, 4), *up, T(64, k, 3, 2, 1, 1)]
        case "resnet", 32:
            encoder = [*strided, *relu(C(128, 128, 3, 1, 1)), *blocks, flat, L(8192, 2 * z)]
            up = [Block(), Block(), *relu(T(128, 64, 4, 2, 1))]
            decoder = [L(z, 8192), cube(128, 8), *up, T(64, k, 4, 2, 1)]
        case "resnet", 64:
            down = relu(C(128, 128, 3, 2, 1), C(128, 128, 3, 2, 1))
            encoder = [*strided, *down, *blocks, flat, L(2048, 2 * z)]
            up = [*relu(T(128, 128, 3, 2, 1)), Block(), Block()]
            up += [T(128, 128, 5, 2, 1), nn.Sigmoid(), *relu(T(128, 64, 5, 2, 1, 1))]
            decoder = [L(z, 2048), cube(128, 4), *up, T(64, k, 4, 2, 1)]
        case "burgess", 64:
            down = relu(C(k, 32, 4, 2, 1), *(C(32, 32, 4, 2, 1) for _ in range(3)))
            encoder = [*down, flat, *relu(L(512, 256), L(256, 256)), L(256, 2 * z)]
            up = relu(*(T(32, 32, 4, 2, 1) for _ in range(3)))
            start = relu(L(z, 256), L(256, 256), L(256, 512))
            decoder = [*start, cube(32, 4), *up, T(32, k, 4, 2, 1)]
        case "locatello", 64:
            down = relu(C(k, 32, 4, 2, 1), C(32, 32, 4, 2, 1), C(32, 64, 2, 2), C(64, 64, 2, 2))
            encoder = [*down, flat, *relu(L(1024, 256)), L(256, 2 * z)]
            up = relu(T(64, 64, 4, 2, 1), T(64, 32, 4, 2, 1), T(32, 32, 4, 2, 1))
            decoder = [*relu(L(z, 256), L(256, 1024)), cube(64, 4), *up, T(32, k, 4, 2, 1)]
        case "chen", 64:
            down = normed(C(k, 32, 4, 2, 1), C(32, 32, 4, 2, 1), C(32, 64, 4, 2, 1))
            down += normed(C(64, 64, 4, 2, 1), C(64, 512, 4))
            encoder = [*down, C(512, 2 * z, 1), flat]
            up = normed(T(z, 512, 1), T(512, 64, 4), T(64, 64, 4, 2, 1), T(64, 32, 4, 2, 1))
            up += normed(T(32, 32, 4, 2, 1))
            decoder = [cube(z, 1), *up, T(32, k, 4, 2, 1)]
        case _:
            raise KeyError(name, side)
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


def fill(target: nn.Module, source: nn.Module) -> None:
    """Copies parameters and buffers in order; a linear layer may be a 1 x 1 convolution there."""
    tensors = [[*module.parameters(), *module.buffers()] for module in (target, source)]
    with torch.no_grad():
        for to, of in zip(*tensors, strict=True):
            if to.shape[:2] != of.shape[:2]:  # transposed convolutions have inputs first
                of = of.T
            to.copy_(of.reshape(to.shape))


def shake(network: nn.Module, generator: torch.Generator) -> None:
    """Running means and variances as after some training."""
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(generator=generator).mul_(0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2, generator=generator)


def fold(gated: nn.Module, plain: nn.Module, rate_code: Tensor) -> None:
    """Makes ``plain`` what ``gated`` is at one rate code: gates scale rows of its weights.

    Gates behind batch normalisation scale its weights.
    """
    source = {name: t for name, t in gated.state_dict().items() if ".gate." not in name}
    plain.load_state_dict(source)
    behind = {
        unit.gated: name
        for name, unit in gated.named_modules()
        if isinstance(unit, Unit) and unit.place == "after_norm" and list(unit.norm.parameters())
    }
    with torch.no_grad():
        for name, module in gated.named_modules():
            if isinstance(module, Gated) and module.gate is not None:
                (gate,) = module.gate(rate_code)
                within = behind[module] + ".norm" if module in behind else name + ".layer"
                layer = plain.get_submodule(within)
                is_transposed = isinstance(layer, nn.ConvTranspose2d)
                weight = layer.get_parameter("weight")
                shape = [1] * weight.ndim
                shape[1 if is_transposed else 0] = -1
                weight.mul_(gate.reshape(shape))
                layer.get_parameter("bias").mul_(gate)
