"""The mixture of logistics: one pass with its own gradient against the plain formulation.

Run with ``python benchmarks/logistic_mixture.py``; parameters and images are synthetic. The plain
one is written with torch's own operations on whole arrays, as is usual, and both take turns.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mrtc.logistic_masses import values_of
from mrtc.logistic_mixture import DiscretisedLogisticMixture, parameters_of

Images = Float[Tensor, "batch channel height width"]
Parameters = Float[Tensor, "batch parameter height width"]


def ours(parameters: Parameters, x: Images) -> Float[Tensor, " batch"]:
    """What training uses."""
    return DiscretisedLogisticMixture(parameters).log_prob(x)


def plain(parameters: Parameters, x: Images) -> Float[Tensor, " batch"]:
    """Differences of two sigmoids; where they vanish, the density times the width."""
    logits, rest = parameters.split([parameters.shape[1] // 10, parameters.shape[1] // 10 * 9], 1)
    means, log_scale, slopes = rest.unflatten(1, (9, -1)).split(3, 1)
    log_scale, slopes = log_scale.clamp(min=-7), slopes.tanh()
    v = (2 * x - 1)[:, :, None]
    red, green, _ = v.unbind(1)
    centre = torch.stack(
        [
            means[:, 0],
            means[:, 1] + slopes[:, 0] * red,
            means[:, 2] + slopes[:, 1] * red + slopes[:, 2] * green,
        ],
        1,
    )
    inverse = (-log_scale).exp()
    upper, lower = ((v + side / 255 - centre) * inverse for side in (1, -1))
    middle = (v - centre) * inverse
    mass = upper.sigmoid() - lower.sigmoid()
    density = middle - log_scale - 2 * functional.softplus(middle) + torch.tensor(2 / 255).log()
    inside = torch.where(mass > 1e-5, mass.clamp(min=1e-12).log(), density)
    log_mass = torch.where(
        v < -0.999,
        upper - functional.softplus(upper),
        torch.where(v > 0.999, -functional.softplus(lower), inside),
    )
    return (log_mass.sum(1) + logits.log_softmax(1)).logsumexp(1).flatten(1).sum(1)


WAYS: dict[str, Callable[[Parameters, Images], Tensor]] = {"ours": ours, "plain": plain}


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Of one call, with all that it started on the device."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def saved_bytes(way: Callable[[Parameters, Images], Tensor], *inputs: Tensor) -> int:
    """What autograd keeps for the gradient, each block of memory once."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        way(*inputs)
    return sum(kept.values())


def main() -> None:
    """Prints times, bytes, their ratios, the largest differences, and the cost of the check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--components", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5, help="turns of both (%(default)s)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device: torch.device = arguments.device
    generator = torch.Generator().manual_seed(0)
    count = parameters_of(3, arguments.components)
    size = arguments.side, arguments.side
    parameters = torch.randn(arguments.batch, count, *size, generator=generator)
    parameters = parameters.to(device).requires_grad_()
    levels = torch.randint(256, (arguments.batch, 3, *size), generator=generator)
    x = (levels.float() / 255).to(device)
    print(
        f"batch {arguments.batch} of {size}, {arguments.components} components, {device},", end=""
    )
    print(f" {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")

    def value(way: Callable[[Parameters, Images], Tensor]) -> Tensor:
        with torch.inference_mode():
            return way(parameters, x)

    def step(way: Callable[[Parameters, Images], Tensor]) -> Tensor:
        return torch.autograd.grad(way(parameters, x).mean(), parameters)[0]

    for name, work in {"value": value, "value and gradient": step}.items():
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(arguments.repeats + 1):
            for way, function in WAYS.items():
                times[way].append(seconds(lambda f=function, w=work: w(f), device))
        # The first turn is warm-up.
        fast, slow = (statistics.median(times[way][1:]) for way in WAYS)
        difference = (work(ours) - work(plain)).abs().max() / work(plain).abs().max()
        print(f"{name}: ours {1000 * fast:.1f} ms, plain {1000 * slow:.1f} ms,", end=" ")
        print(f"ratio {slow / fast:.2f}; largest difference {difference:.1e} of the largest value")
        if name == "value":
            check = statistics.median(
                seconds(lambda: values_of(x, 256), device) for _ in range(arguments.repeats)
            )
            print(f"  of it {100 * check / fast:.1f} % are levels and their check")
    few, many = (saved_bytes(way, parameters, x) for way in WAYS.values())
    print(f"kept for the gradient: ours {few / 1e6:.0f} MB, plain {many / 1e6:.0f} MB,", end=" ")
    print(f"ratio {many / few:.1f}; the parameters are {parameters.nbytes / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
