"""Models broken on purpose are found out, and optimal ones are not accused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.evaluation.doctor import (
    CONSTANT_WITHIN,
    DEAD_BELOW,
    GateCounts,
    RatesAndDistortions,
    gate_counts,
    gate_findings,
    rate_findings,
    regret_findings,
    slope_findings,
)
from mrtc.layers import RateGate
from tests.toys import small_vae

BETA = np.geomspace(0.1, 12.8, 8)  # neighbours are a factor of 2 apart
CHECKS = (rate_findings, slope_findings, regret_findings)


def curve_of(rate: np.ndarray, distortion: np.ndarray, noise: float = 0.0) -> RatesAndDistortions:
    """Each of 200 examples is off by its own number, the same at every beta, and by noise."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(2, 1, 200))
    more = noise * rng.normal(size=(2, len(rate), 200))
    more -= more.mean(2, keepdims=True)
    spread = 3 * (own - own.mean(2, keepdims=True)) + more
    return RatesAndDistortions(BETA, rate[:, None] + spread[0], distortion[:, None] + spread[1])


def optimum(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a linear VAE: codes with eigenvalues l of noise 1, in use while beta < l."""
    eigenvalue = np.array([0.3, 1.0, 3.0, 20.0])
    kept = np.minimum(beta[:, None], eigenvalue)
    return -0.5 * np.log(kept / eigenvalue).sum(1), 0.5 * kept.sum(1) + 10


def test_gates_are_counted_as_on_a_dense_grid() -> None:
    """The ends of the range are enough: a thousand betas say the same."""
    vae = small_vae()
    generator = torch.Generator().manual_seed(0)
    gates = {n: m for n, m in vae.named_modules() if isinstance(m, RateGate)}
    for gate in gates.values():
        with torch.no_grad():
            gate.slope.copy_(torch.randn(16, generator=generator) * 0.3)
            gate.offset.copy_(torch.randn(16, generator=generator) * 4)
    betas = torch.from_numpy(np.geomspace(0.1, 10, 1001)).float()
    found = {layer.layer: layer for layer in gate_counts(vae, vae.betas)}
    assert len(found) == len(gates) == 4
    for name, gate in gates.items():
        factors = gate(vae.betas.standardise(betas)).detach()
        least, greatest = factors.min(0).values, factors.max(0).values
        dead = greatest < DEAD_BELOW
        constant = ~dead & ((greatest - least) / greatest <= CONSTANT_WITHIN)
        layer = name.removesuffix(".gate")
        assert found[layer] == GateCounts(layer, 16, int(dead.sum()), int(constant.sum()))
    assert sum(layer.dead for layer in found.values())
    assert sum(layer.constant for layer in found.values())


def test_healthy_gates_give_no_finding() -> None:
    vae = small_vae()
    with torch.no_grad():
        for gate in vae.modules():
            if isinstance(gate, RateGate):
                gate.slope.fill_(0.5)
    assert list(gate_findings(gate_counts(vae, vae.betas))) == []


def test_gates_that_are_closed_or_do_not_move_are_found() -> None:
    """Five of 16 closed at one layer, half without slope at another."""
    vae = small_vae()
    with torch.no_grad():
        for gate in vae.modules():
            if isinstance(gate, RateGate):
                gate.slope.fill_(0.5)
        vae.decoder.second.gate.offset[:5] = 8.0
        vae.encoder.second.gate.slope[:8] = 0.0
    constant, dead = gate_findings(gate_counts(vae, vae.betas))
    assert (dead.kind, dead.where, dead.value) == ("dead gates", "decoder.second", 5 / 16)
    assert (constant.kind, constant.where, constant.value) == (
        "constant gates", "encoder.second", 0.5,
    )  # fmt: skip


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_an_optimal_model_is_healthy(noise: float) -> None:
    curve = curve_of(*optimum(BETA), noise)
    assert [finding for check in CHECKS for finding in check(curve)] == []


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_optima_of_any_family_are_healthy(seed: int) -> None:
    """At each beta the best of 60 models: the law needs no more than that."""
    models = np.random.default_rng(seed).exponential((30, 60), (4_000, 2))
    best = (models[:, 1] + BETA[:, None] * models[:, 0]).argmin(1)
    curve = curve_of(*models[best].T)
    assert [finding for check in CHECKS for finding in check(curve)] == []


def test_a_rate_that_rises_is_found_with_its_rise_and_its_place() -> None:
    rate, distortion = optimum(BETA)
    rate[3:5] = rate[2] + [0.1, 0.5]
    (finding,) = rate_findings(curve_of(rate, distortion))
    assert finding.where == "beta 0.4 to 1.6"
    assert finding.value == pytest.approx(0.5)
    assert "standard error" in finding.what


def test_a_rise_within_its_error_or_of_nothing_is_none() -> None:
    """200 examples of noise 1 at both betas: a standard error of 0.1."""
    rate, distortion = np.linspace(5, 1, 8), np.linspace(10, 20, 8)
    rate[4] = rate[3] + 0.15
    assert list(rate_findings(curve_of(rate, distortion, noise=1.0))) == []
    rate[4] = rate[3] + 0.3
    assert len(list(rate_findings(curve_of(rate, distortion, noise=1.0)))) == 1
    rate[4] = rate[3] + 0.009
    assert list(rate_findings(curve_of(rate, distortion))) == []


def test_a_beta_that_is_behind_is_named_with_what_it_lacks() -> None:
    """Distortion 0.5 too high at beta 0.8: the model at a neighbour is better by a known number."""
    rate, distortion = optimum(BETA)
    distortion[3] += 0.5
    curve = curve_of(rate, distortion)
    objective = distortion + BETA[3] * rate
    (finding,) = regret_findings(curve)
    assert finding.where == "beta 0.8"
    assert finding.value == pytest.approx(objective[3] - objective.min())
    flat, steep = slope_findings(curve)
    assert (flat.where, steep.where) == ("beta 0.8 to 1.6", "beta 0.4 to 0.8")
    assert "the lower beta is the worse" in flat.what
    assert "the higher beta is the worse" in steep.what
    assert flat.value < 1 < steep.value


def test_slopes_off_by_chance_are_none() -> None:
    """The same excess, drowned in noise of each example."""
    rate, distortion = optimum(BETA)
    distortion[3] += 0.5
    assert list(slope_findings(curve_of(rate, distortion, noise=30.0))) == []
    assert list(regret_findings(curve_of(rate, distortion, noise=30.0))) == []


def test_a_model_that_heeds_beta_by_half_is_off_at_both_ends() -> None:
    """Rate and distortion of sqrt(beta): the slope is its square root too."""
    findings = list(slope_findings(curve_of(*optimum(np.sqrt(BETA)))))
    values = sorted(finding.value for finding in findings)
    assert values[0] < 2 / 3
    assert values[-1] > 1.5
