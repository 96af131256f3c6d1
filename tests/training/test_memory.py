"""The estimate against measured peaks, and its parts against closed forms."""

import gc
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from weakref import WeakSet

import pytest
import torch
from torch import Tensor

from mrtc.architectures import build_networks
from mrtc.distributions import DiagonalGaussian
from mrtc.errors import MrtcError
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers.checkpointing import recompute_activations
from mrtc.objectives import ObjectiveConfig, objective_terms
from mrtc.rates import BetaRange
from mrtc.training.memory import MemoryEstimate, estimate_memory
from mrtc.training.phantoms import Ledger
from tests.hierarchies import SMALL
from tests.toys import SHAPE, small_vae
from tests.training import memory_worker
from tests.training.memory_worker import OPTIMIZERS, make_vae, take_steps

ADAM = OPTIMIZERS["adam"]
CASES = [
    ("nvae", 64, "adam", "fp32", False),
    ("nvae", 48, "adamax", "fp32", True),
    ("nvae", 48, "adamax", "bf16", False),
    ("nvae", 48, "adam", "bf16", True),
    ("resnet", 64, "adam", "fp32", False),
]
WITHIN = 0.25
"""What operations work on inside is not counted, and is more or less by kernel and processor."""


@pytest.fixture(scope="module")
def compared() -> list[dict[str, int]]:
    """In one process, as starting one is what takes long."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of a process can be set back on Linux alone")
    done = subprocess.run(
        [sys.executable, memory_worker.__file__, json.dumps(CASES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", range(len(CASES)), ids=[" ".join(map(str, c)) for c in CASES])
def test_the_measured_peak_on_a_processor(case: int, compared: list[dict[str, int]]) -> None:
    found = compared[case]
    assert found["estimated"] == pytest.approx(found["measured"], rel=WITHIN)


@pytest.mark.gpu
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_the_measured_peak_on_a_gpu(optimizer: str, checkpointing: bool) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    vae = make_vae("nvae").to("cuda")
    found = estimate_memory(
        vae,
        256,
        memory_worker.SHAPE,
        optimizer=OPTIMIZERS[optimizer],
        precision="bf16",
        checkpointing=checkpointing,
        device="cuda",
    )
    own = OPTIMIZERS[optimizer](vae)
    with recompute_activations(vae, on=checkpointing):
        take_steps(vae, 2, own, "bf16")
        torch.cuda.reset_peak_memory_stats()
        take_steps(vae, 256, own, "bf16", steps=2)
    assert found.total == pytest.approx(torch.cuda.max_memory_allocated(), rel=WITHIN)


def test_weights_gradients_and_moments_in_closed_form() -> None:
    """A step in parts holds the gradients of the parts before, all of them, and two moments."""
    vae = small_vae()
    weights = 4 * sum(weight.numel() for weight in vae.parameters())
    found = estimate_memory(vae, 8, SHAPE, optimizer=ADAM, accumulate=2)
    assert found.weights == found.gradients == weights
    assert found.optimizer == 2 * weights
    assert found.total == sum(
        (found.weights, found.gradients, found.optimizer, found.activations, found.temporary)
    )


class Holder:
    """Of a tensor that autograd keeps."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()  # a result would hold its own operation, and that the result


@pytest.mark.parametrize("network", ["toy", "nvae"])
def test_activations_are_what_autograd_keeps_in_a_real_pass(network: str) -> None:
    """Those alive behind it, told apart by their addresses, and the pass's own results."""
    is_toy = network == "toy"
    vae, shape = (small_vae(), SHAPE) if is_toy else (make_vae("nvae"), memory_worker.SHAPE)
    batch = 4096 if is_toy else 16  # enough that the fullest moment is between the two passes
    holders: WeakSet[Holder] = WeakSet()  # what autograd lets go is gone from here too

    def hold(tensor: Tensor) -> Holder:
        holder = Holder(tensor)
        holders.add(holder)
        return holder

    inputs = torch.zeros(batch, *shape), torch.ones(batch), torch.zeros(batch, vae.codes)
    with torch.autograd.graph.saved_tensors_hooks(hold, lambda holder: holder.tensor):
        out = vae.train()(*inputs)
        terms = objective_terms(
            ObjectiveConfig("beta"),
            distortion=out.distortion,
            posterior=DiagonalGaussian(out.mean, out.log_sigma),
            z=out.z,
            beta=inputs[1],
            population=batch,
        )
    tensors = (*inputs, *out, *terms.values(), *(holder.tensor for holder in holders))
    storages = [tensor.untyped_storage() for tensor in tensors]
    kept = {storage.data_ptr(): storage.nbytes() for storage in storages}
    for tensor in (*vae.parameters(), *vae.buffers()):
        kept.pop(tensor.data_ptr(), None)
    found = estimate_memory(vae, batch, shape, optimizer=ADAM)
    # A little later, when temporary arrays are largest, the first few are free again.
    assert 0.95 * sum(kept.values()) <= found.activations <= sum(kept.values())


def test_a_batch_in_parts_needs_the_activations_of_a_part() -> None:
    parts = estimate_memory(small_vae(), 4096, SHAPE, optimizer=ADAM, accumulate=4)
    alone = estimate_memory(small_vae(), 1024, SHAPE, optimizer=ADAM)
    assert parts.activations == alone.activations
    assert parts.gradients > alone.gradients


def test_networks_take_the_way_that_they_take_on_the_device() -> None:
    """From 64 examples on, convolutions on a processor are products of transforms, in float32."""
    vae = make_vae("resnet")
    products, torchs, half = (
        estimate_memory(
            vae, batch, memory_worker.SHAPE, optimizer=ADAM, precision=precision
        ).activations
        for batch, precision in ((64, "fp32"), (63, "fp32"), (64, "bf16"))
    )
    assert products > 1.5 * torchs
    assert half < torchs


@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_total_correlation_is_estimated_too(estimator: str) -> None:
    objective = ObjectiveConfig("tcvae", estimator=estimator)
    found = estimate_memory(small_vae(), 16, SHAPE, optimizer=ADAM, objective=objective)
    plain = estimate_memory(small_vae(), 16, SHAPE, optimizer=ADAM)
    assert found.total > plain.total


def test_the_model_stays_as_it_is() -> None:
    vae = make_vae("nvae").eval()
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    with torch.no_grad():
        estimate_memory(vae, 4, memory_worker.SHAPE, optimizer=ADAM, checkpointing=True)
    assert not any(module.training for module in vae.modules())
    assert all(weight.grad is None for weight in vae.parameters())
    assert all(torch.equal(before[name], now) for name, now in vae.state_dict().items())


def test_shown_in_one_line() -> None:
    gib = 2**30
    shown = str(MemoryEstimate(gib, gib // 2, 2 * gib, 5 * gib // 2, gib // 8))
    assert shown == (
        "a step needs about 6.12 GiB: 1.00 of weights, 0.50 of gradients, 2.00 of optimiser, "
        "2.50 of activations, 0.12 of temporary arrays"
    )
    little = str(MemoryEstimate(1000, 0, 2000, gib, 5000))
    assert little == "a step needs about 1.00 GiB: 1.00 of activations"


def test_what_cannot_be_estimated_is_refused() -> None:
    vae = small_vae()
    with pytest.raises(ValueError, match="batch of 8 cannot be cut into 3"):
        estimate_memory(vae, 8, SHAPE, optimizer=ADAM, accumulate=3)
    with pytest.raises(MrtcError, match="leave checkpointing out"):
        estimate_memory(vae, 8, SHAPE, optimizer=ADAM, checkpointing=True)
    vae.likelihood = "tokens"
    with pytest.raises(TypeError, match="documents depends on their lengths"):
        estimate_memory(vae, 8, SHAPE, optimizer=ADAM)


def test_the_ledger_books_memory_once_and_until_its_last_view_is_gone() -> None:
    ledger, device = Ledger(), torch.device("cpu")
    x = ledger.empty(8, device=device)
    y = x.exp()
    half = y[:4]
    x.mul_(2)
    assert ledger.events == [(0, 32), (1, 32)]
    del y
    gc.collect()
    assert len(ledger.events) == 2
    del half
    assert ledger.events[2:] == [(1, -32)]


def test_checks_of_numbers_are_left_out_where_there_are_none() -> None:
    """A mixture's images lie on levels, which phantoms cannot; its gradient is what is kept."""
    config = replace(SMALL, output="logistic_mixture")
    encoder, decoder = build_networks((3, 8, 8), config)
    vae = HierarchicalVAE(encoder, decoder, BetaRange(0.1, 10.0), "logistic_mixture")
    found = estimate_memory(vae, 64, (3, 8, 8), optimizer=ADAM)
    assert found.activations > 64 * 100 * 8 * 8 * 4
