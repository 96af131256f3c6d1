"""Autoregressive cells: what each code sees, and the density that their flow has."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from mrtc.distributions import DiagonalGaussian, log_standard_normal
from mrtc.layers import GateKind, Gating, RateGate
from mrtc.layers.autoregressive import AutoregressiveCell, MaskedConv2d
from mrtc.randomness import torch_stream

FEATURES = 5
RATE_CODE = torch.tensor([0.7], dtype=torch.float64)


def cell(channels: int, gate: GateKind | None = None, seed: int = 0) -> AutoregressiveCell:
    """Whose moves are far from none."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = AutoregressiveCell(channels, FEATURES, Gating(gate)).double()
    with torch.no_grad():
        made.to_moves.layer.log_scale += math.log(30)
    return made


def features(side: int, batch: int = 1) -> Tensor:
    stream = torch_stream(0, "features")
    one = torch.randn(1, FEATURES, side, side, generator=stream, dtype=torch.float64)
    return one.expand(batch, -1, -1, -1)


def in_order(maps: Tensor) -> Tensor:
    """Codes of one example by rows, columns and, at a pixel, channels."""
    return maps[0].permute(1, 2, 0).flatten()


@pytest.mark.parametrize("gate", [None, "sigmoid", "sqrt"])
@pytest.mark.parametrize(("channels", "side"), [(3, 3), (1, 4), (2, 1)])
def test_the_jacobian_is_triangular_and_its_determinant_known(
    channels: int, side: int, gate: GateKind | None
) -> None:
    flow, h = cell(channels, gate), features(side)
    stream = torch_stream(0, "codes")
    codes = torch.randn(channels * side**2, generator=stream, dtype=torch.float64)

    def moved(codes: Tensor) -> Tensor:
        u = codes.view(side, side, channels).permute(2, 0, 1)[None]
        shift, log_scale = flow(u, h, RATE_CODE)
        return in_order(u * log_scale.exp() + shift)

    jacobian = torch.autograd.functional.jacobian(moved, codes)
    assert torch.equal(jacobian.triu(1), torch.zeros_like(jacobian))
    before = torch.ones_like(jacobian).tril(-1).bool()
    assert (jacobian[before] != 0).double().mean() > 0.75  # windows are not all of a map
    u = codes.view(side, side, channels).permute(2, 0, 1)[None]
    log_scale = flow(u, h, RATE_CODE).log_scale
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_scale.sum())
    assert log_scale.abs().max() > 0.01


def test_masked_weights_have_the_norms_that_are_learned() -> None:
    layer = MaskedConv2d(2, 4, 3, torch.tensor([[0.0, 0.0], [1, 0], [1, 1], [0, 1]]))
    with torch.no_grad():
        layer.weight.add_(1.0)  # what is not seen must not count
        layer.log_scale.copy_(torch.tensor([0.0, 0.5, -1, 2]))
    weight = layer.normalised_weight
    torch.testing.assert_close(weight.flatten(1).norm(dim=1), layer.log_scale.exp())
    assert torch.equal(weight[:, :, 1, 1] != 0, layer.mask[:, :, 1, 1] != 0)
    assert not weight[:, :, 2].any()
    assert not weight[:, :, 1, 2].any()
    assert weight[:, :, 0].all()


class TwoCodes:
    """A posterior of two codes, moved by two cells as a group's is; computed code after code."""

    mean = torch.tensor([0.4, -0.3], dtype=torch.float64)
    log_sigma = torch.tensor([-0.2, 0.3], dtype=torch.float64)

    def __init__(self) -> None:
        self.flows = [cell(2, seed=seed) for seed in (1, 2)]

    @torch.no_grad()
    def draw(self, noise: Tensor) -> tuple[DiagonalGaussian, Tensor, Tensor]:
        """Moments along the draws as the networks keep them, draws, and log determinants."""
        mean, log_sigma = (moment.expand(len(noise), 2) for moment in (self.mean, self.log_sigma))
        u = mean + noise * log_sigma.exp()
        log_det = torch.zeros(len(noise), dtype=torch.float64)
        for flow in self.flows:
            moves = flow(u[..., None, None], features(1, len(u)), RATE_CODE)
            shift, log_scale = (move.flatten(1) for move in moves)
            u, mean = (shift + log_scale.exp() * moved for moved in (u, mean))
            log_sigma = log_sigma + log_scale
            log_det = log_det + log_scale.sum(1)
        return DiagonalGaussian(mean, log_sigma), u, log_det

    def noise_of(self, wanted: Tensor) -> Tensor:
        """The inverse: a code is affine in its own noise, given those before."""
        noise = torch.zeros_like(wanted)
        for code in range(2):
            at_zero = self.draw(noise)[1]
            slope = self.draw(noise + torch.eye(2, dtype=torch.float64)[code])[1] - at_zero
            noise[:, code] = ((wanted - at_zero) / slope)[:, code]
        return noise


class Grid(NamedTuple):
    points: Tensor
    log_density: Tensor
    """By the change of variables."""
    along: Tensor
    """By the moments along the draws that the points are."""
    area: float


@pytest.fixture(scope="module")
def grid() -> Grid:
    two = TwoCodes()
    axis = torch.linspace(-14, 14, 141, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    noise = two.noise_of(points)
    posterior, u, log_det = two.draw(noise)
    torch.testing.assert_close(u, points)
    base = DiagonalGaussian(two.mean[None], two.log_sigma[None])
    log_density = base.log_density(base.draw(noise)).sum(1) - log_det
    area = float((axis[1] - axis[0]) ** 2)
    return Grid(points, log_density, posterior.log_density(u).sum(1), area)


def test_the_density_integrates_to_one(grid: Grid) -> None:
    """And it is not that of independent codes."""
    mass = grid.log_density.exp() * grid.area
    assert mass.sum().item() == pytest.approx(1, abs=1e-4)
    mean = mass @ grid.points
    covariance = (grid.points - mean).T @ ((grid.points - mean) * mass[:, None])
    correlation = covariance[0, 1] / (covariance[0, 0] * covariance[1, 1]).sqrt()
    assert abs(correlation.item()) > 0.1


def test_moments_along_a_draw_have_the_density_of_the_flow(grid: Grid) -> None:
    """Exactly, at every point: so importance weights are right with flows."""
    torch.testing.assert_close(grid.along, grid.log_density)


def test_the_mean_of_rates_along_draws_is_the_rate(grid: Grid) -> None:
    """KL(q || N(0, I)) by the grid, and by quadrature over noise of the closed form along draws.

    That form varies less than the log ratio of densities, as no code's own noise is left in it.
    Kinks of the activations keep grid and quadrature from being more exact.
    """
    log_ratio = grid.log_density - log_standard_normal(grid.points).sum(1)
    exact = (grid.log_density.exp() * log_ratio).sum().item() * grid.area

    nodes, probabilities = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(60))
    noise = torch.cartesian_prod(nodes, nodes)
    mass = torch.cartesian_prod(probabilities, probabilities).prod(1) / (2 * math.pi)
    posterior, u, _ = TwoCodes().draw(noise)
    closed = posterior.rate().sum(1)
    sampled = (posterior.log_density(u) - log_standard_normal(u)).sum(1)
    assert (mass @ closed).item() == pytest.approx(exact, rel=1e-3)
    assert (mass @ sampled).item() == pytest.approx(exact, rel=1e-3)
    spread = [(mass @ (rate - exact).square()).item() for rate in (closed, sampled)]
    assert spread[0] < 0.5 * spread[1]


def test_every_convolution_is_gated_or_none() -> None:
    convolutions = [m for m in cell(2).modules() if isinstance(m, torch.nn.Conv2d)]
    gates = [m for m in cell(2, "sigmoid").modules() if isinstance(m, RateGate)]
    assert len(gates) == len(convolutions) == 4
    assert not [m for m in cell(2).modules() if isinstance(m, RateGate)]
