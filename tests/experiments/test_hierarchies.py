"""Checkpoints of hierarchies through evaluation, search, recalibration and doctor."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.architectures import MLPConfig
from mrtc.errors import MrtcError
from mrtc.evaluation.recalibration import Recalibration, norms_behind_gates, undoes_gates
from mrtc.evaluation.scoring import score_results
from mrtc.experiments import RunConfig, evaluate
from mrtc.experiments.doctor import diagnose
from mrtc.experiments.find_beta import Goal, find_beta
from mrtc.experiments.presets import baseline
from mrtc.experiments.run import build_vae
from mrtc.training import Checkpoint, TrainingState
from tests.evaluation.hierarchy_toys import (
    hierarchy_config,
    own_images,
    save_hierarchy,
    small_hierarchy,
)
from tests.toys import Crosses


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hierarchies")


@pytest.fixture(scope="module", autouse=True)
def cache(folder: Path) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MRTC_CACHE", str(folder / "cache"))
        yield


@pytest.fixture(scope="module")
def images(folder: Path) -> Path:
    return own_images(folder)


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    return save_hierarchy(folder / "ckpt.pt")


@pytest.fixture
def common(images: Path) -> dict[str, object]:
    return {"data": images, "device": "cpu", "quiet": True}


def test_an_evaluation_keeps_the_group_that_was_asked_for(
    checkpoint: Path, tmp_path: Path, common: dict[str, object]
) -> None:
    results = evaluate(checkpoint, tmp_path / "r.h5", betas="0.1,10", group=1, **common)
    assert results.header.group == 1
    assert results.header.num_codes == 32
    assert results.metrics["rate_code"].shape == (2, 32)
    assert results.rate_group.shape == (2, 3)
    np.testing.assert_allclose(results.rate_group.sum(1), results.metrics["rate"])
    assert results.header.parameters["precision"] == "fp32"
    scored = score_results(results.path, ("rate", "active_units", "soft_active_units"), quiet=True)
    # The others are of all groups; what is computed with this one comes along.
    assert set(scored.scores) == {"soft_active_units", "effective_dimension"}
    assert scored.scores["soft_active_units"].details[0]["group"] == 1
    again = evaluate(checkpoint, tmp_path / "r.h5", betas="0.1,10", group=1, **common)
    assert again.created == results.created


def test_what_cannot_be_evaluated_is_said(
    checkpoint: Path, folder: Path, common: dict[str, object]
) -> None:
    with pytest.raises(MrtcError, match=r"no group 99; choose --group .* 1 to 2 \(2 maps of"):
        evaluate(checkpoint, group=99, **common)
    with pytest.raises(MrtcError, match=r"3 latent groups, .* leave out --precision bf16"):
        evaluate(checkpoint, precision="bf16", **common)
    flat = replace(hierarchy_config(), model=MLPConfig(hidden=8, codes=3))
    vae = build_vae(flat)
    Checkpoint(flat.to_json(), vae.state_dict(), TrainingState()).save(folder / "flat.pt")
    with pytest.raises(MrtcError, match="no latent groups, and group 0 was asked for: its 3 codes"):
        evaluate(folder / "flat.pt", group=0, **common)


def test_an_adaptive_grid_and_a_search_go_by_the_same_numbers(
    checkpoint: Path, tmp_path: Path, common: dict[str, object]
) -> None:
    results = evaluate(checkpoint, tmp_path / "r.h5", betas="auto", **common)
    assert 5 <= results.evaluated.sum() == len(results.beta)
    rate = results.metrics["rate"]
    found = find_beta(checkpoint, Goal("rate", float((rate[0] + rate[-1]) / 2)), **common)
    there = evaluate(checkpoint, tmp_path / "f.h5", betas=found.place.beta, **common)
    assert there.metrics["rate"][0] == pytest.approx(found.place.value, rel=1e-4)
    assert there.metrics["rate_error"][0] == pytest.approx(found.place.error, rel=1e-3)


def test_a_search_scores_the_group_that_was_asked_for(
    checkpoint: Path, tmp_path: Path, common: dict[str, object]
) -> None:
    name = "soft_active_units"

    def scores(betas: object, group: int) -> list[float]:
        path = tmp_path / f"{group}.h5"
        evaluate(checkpoint, path, betas=betas, group=group, force=True, **common)
        return score_results(path, (name,), quiet=True).scores[name].value.tolist()

    low, high = scores("0.1,10", 1)
    found = find_beta(checkpoint, Goal(name, (low + high) / 2), group=1, **common)
    beta = found.place.beta
    assert scores(beta, 1) == pytest.approx([found.place.value], rel=1e-4)
    assert scores(beta, 0) != pytest.approx([found.place.value], rel=0.05)
    with pytest.raises(MrtcError, match=r"rate is of all latent groups, .* leave out --group"):
        find_beta(checkpoint, Goal("rate", 5.0), group=1, **common)
    with pytest.raises(MrtcError, match=r"no group 3; choose --group .* 1 to 2 \(2 maps of"):
        find_beta(checkpoint, Goal(name, 5.0), group=3, **common)


def test_a_doctor_measures_along_draws(
    checkpoint: Path, tmp_path: Path, common: dict[str, object]
) -> None:
    diagnosis = diagnose(checkpoint, examples=40, **common)
    assert diagnosis.measured is not None
    curve = diagnosis.measured.curve
    results = evaluate(
        checkpoint,
        tmp_path / "r.h5",
        betas=curve.beta[[0, -1]],
        part="train",
        examples=40,
        **common,
    )
    # The doctor draws its examples from a stream of its own name, which is that of evaluations.
    np.testing.assert_allclose(curve.rate.mean(1)[[0, -1]], results.metrics["rate"], rtol=1e-4)
    gated = {drift.layer for drift in diagnosis.measured.drifts if drift.has_gate_before}
    assert gated == norms_behind_gates(build_vae_of(checkpoint))


def build_vae_of(checkpoint: Path):
    return build_vae(RunConfig.from_json(Checkpoint.load(checkpoint).config))


def test_norms_behind_gates_are_those_whose_input_a_gate_scales() -> None:
    """Of an encoder's cells the second, of a decoder's cells all but the first."""
    names = norms_behind_gates(small_hierarchy())
    cells = {name.rsplit(".norms.", 1)[0] for name in names}
    for cell in cells:
        of_cell = {name.rsplit(".", 1)[1] for name in names if name.startswith(f"{cell}.norms.")}
        assert of_cell == ({"1"} if cell.startswith("encoder") else {"1", "2", "3"})
    assert len([cell for cell in cells if cell.startswith("decoder")]) == 4
    assert undoes_gates(small_hierarchy())
    assert not undoes_gates(build_vae(baseline(hierarchy_config(), 1.0)))


def test_recalibration_is_of_draws_at_one_beta() -> None:
    """Those of what the last normalisation gets on one way down, by a hook; then as before."""
    vae = small_hierarchy()
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    last = vae.decoder.behind[-1].norms[0]
    seen: list[torch.Tensor] = []
    handle = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    with Recalibration(Crosses(), 3).at(vae, 0.5, torch.device("cpu")):
        (got,) = seen  # 64 examples are one batch, which goes down once
        torch.testing.assert_close(last.running_mean, got.mean((0, 2, 3)))
        assert not vae.training
    handle.remove()
    for name, tensor in vae.state_dict().items():
        assert torch.equal(tensor, before[name]), name
