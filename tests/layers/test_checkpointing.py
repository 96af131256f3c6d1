"""Recomputed activations against kept ones: everything is the same, bit for bit."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from mrtc.architectures import NVAEDecoder, NVAEEncoder
from mrtc.errors import MrtcError
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers.cells import DecoderCell, EncoderCell
from mrtc.layers.checkpointing import Recomputable, recompute_activations
from mrtc.rates import BetaRange
from tests.hierarchies import SMALL
from tests.toys import small_vae


def make() -> HierarchicalVAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder, decoder = NVAEEncoder((1, 8, 8), SMALL), NVAEDecoder((1, 8, 8), SMALL)
    return HierarchicalVAE(encoder, decoder, BetaRange(0.1, 10.0)).train()


def trained(*, recomputed: bool, bf16: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """State after three steps, and the gradients of the last."""
    vae, generator = make(), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-2)
    with recompute_activations(vae, on=recomputed):
        for _ in range(3):
            optimizer.zero_grad()
            x = torch.rand(6, 1, 8, 8, generator=generator).round()
            noise = torch.randn(6, vae.codes, generator=generator)
            beta = vae.betas.draw(6, generator)
            with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
                out = vae(x, beta, noise)
            (out.distortion + beta * (out.mean**2 - out.log_sigma).sum(1)).mean().backward()
            optimizer.step()
    gradients = {name: p.grad for name, p in vae.named_parameters() if p.grad is not None}
    return vae.state_dict(), gradients


@pytest.mark.parametrize("bf16", [False, True])
def test_weights_statistics_and_gradients_are_the_same(bf16: bool) -> None:
    kept, recomputed = (trained(recomputed=on, bf16=bf16) for on in (False, True))
    for mine, theirs in zip(kept, recomputed, strict=True):
        assert mine.keys() == theirs.keys()
        assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []
    state, gradients = kept
    assert gradients
    assert {int(state[name]) for name in state if name.endswith("num_batches_tracked")} == {3}


def test_the_forward_pass_runs_again_once_in_each_cell_and_keeps_less() -> None:
    """Counted by hooks on a layer of each cell, and by the bytes that autograd keeps."""
    calls, kept = {}, {}
    for on in (False, True):
        vae, runs, blocks = make(), [], {}

        def note(tensor: Tensor, blocks: dict[int, int] = blocks) -> Tensor:
            storage = tensor.untyped_storage()
            blocks[storage.data_ptr()] = storage.nbytes()
            return tensor

        cells = [m for m in vae.modules() if isinstance(m, EncoderCell | DecoderCell)]
        for cell in cells:
            cell.norms[0].register_forward_hook(lambda *_, runs=runs: runs.append(1))
        with (
            recompute_activations(vae, on=on),
            torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        ):
            out = vae(torch.zeros(64, 1, 8, 8), torch.ones(64), torch.ones(64, vae.codes))
        kept[on] = sum(blocks.values())
        (out.distortion.sum() + out.mean.sum() + out.log_sigma.sum()).backward()
        calls[on] = len(runs) / len(cells)
    assert calls == {False: 1, True: 2}
    assert kept[True] < kept[False] / 2


def test_nothing_is_kept_or_changed_where_there_is_no_gradient() -> None:
    vae = make().eval()
    x, noise = torch.ones(3, 1, 8, 8), torch.ones(3, vae.codes)
    with torch.no_grad():
        plain = vae(x, torch.ones(3), noise)
        with recompute_activations(vae):
            again = vae(x, torch.ones(3), noise)
    assert all(torch.equal(*pair) for pair in zip(plain, again, strict=True))


def stop_within(vae: HierarchicalVAE) -> None:
    with recompute_activations(vae, on=False):
        raise RuntimeError("stop")


def test_the_switch_goes_back_also_after_an_error() -> None:
    vae = make()
    cells = [module for module in vae.modules() if isinstance(module, Recomputable)]
    with recompute_activations(vae):
        with pytest.raises(RuntimeError, match="stop"):
            stop_within(vae)
        assert all(cell.recomputes for cell in cells)
    assert cells
    assert not any(cell.recomputes for cell in cells)


def test_models_without_cells_are_refused_only_if_it_is_on() -> None:
    with recompute_activations(small_vae(), on=False):
        pass
    with pytest.raises(MrtcError, match=r"none of its \d+ layers.*leave checkpointing out"):
        recompute_activations(small_vae()).__enter__()
