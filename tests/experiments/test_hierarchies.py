"""Checkpoints of hierarchies through evaluation, search, doctor and the commands."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from mrtc.errors import MrtcError, ResultsError
from mrtc.evaluation.recalibration import Recalibration, norms_behind_gates, undoes_gates
from mrtc.evaluation.scoring import score_results
from mrtc.experiments import RunConfig, evaluate, preset
from mrtc.experiments.doctor import diagnose
from mrtc.experiments.find_beta import Goal, find_beta
from mrtc.experiments.presets import baseline
from mrtc.experiments.run import build_vae, run
from mrtc.rates import BetaRange
from mrtc.results import read
from mrtc.training import Checkpoint, TrainingState
from tests.cli.conftest import Command
from tests.evaluation.hierarchy_toys import SMALL, small_hierarchy
from tests.toys import Crosses

pytest_plugins = ()


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
    """Crosses, as somebody's own images."""
    with h5py.File(folder / "images.h5", "w") as file:
        import torch

        pixels = Crosses().images(torch.arange(64)).numpy()[:, 0]
        file["images"] = (255 * np.tile(pixels, (4, 1, 1))).astype(np.uint8)
    return folder / "images.h5"


@pytest.fixture(scope="module")
def config() -> RunConfig:
    usual = preset("binarized-mnist", "quick", "beta")
    return replace(
        usual,
        dataset="images",
        image_size=8,
        image_shape=(1, 8, 8),
        model=SMALL,
        betas=BetaRange(0.1, 10.0),
        training=replace(usual.training, steps=10, batch=16, warmup=0),
    )


@pytest.fixture(scope="module")
def checkpoint(folder: Path, images: Path, config: RunConfig) -> Path:
    run(config, out=folder / "ckpt.pt", data=images, device="cpu", quiet=True)
    return folder / "ckpt.pt"


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
    assert set(scored.scores) == {"soft_active_units"}  # the others are of all groups
    assert scored.scores["soft_active_units"].details[0]["group"] == 1
    again = evaluate(checkpoint, tmp_path / "r.h5", betas="0.1,10", group=1, **common)
    assert again.created == results.created


def test_what_cannot_be_evaluated_is_said(
    checkpoint: Path, folder: Path, config: RunConfig, common: dict[str, object]
) -> None:
    with pytest.raises(MrtcError, match=r"group 99.*1 to 2 \(2 maps of 4 x 4\).*choose --group"):
        evaluate(checkpoint, group=99, **common)
    with pytest.raises(MrtcError, match="3 latent groups, .* leave out --precision bf16"):
        evaluate(checkpoint, precision="bf16", **common)
    flat = preset("binarized-mnist", "quick", "beta")
    flat = replace(config, model=replace(flat.model, codes=3))
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


def test_norms_behind_gates_are_those_whose_input_a_gate_scales(config: RunConfig) -> None:
    """Of an encoder's cells the second, of a decoder's cells all but the first."""
    names = norms_behind_gates(small_hierarchy())
    cells = {name.rsplit(".norms.", 1)[0] for name in names}
    for cell in cells:
        of_cell = {name.rsplit(".", 1)[1] for name in names if name.startswith(f"{cell}.norms.")}
        assert of_cell == ({"1"} if cell.startswith("encoder") else {"1", "2", "3"})
    assert len([cell for cell in cells if cell.startswith("decoder")]) == 5
    assert undoes_gates(small_hierarchy())
    assert not undoes_gates(build_vae(baseline(config, 1.0)))


def test_recalibration_is_of_draws_at_one_beta() -> None:
    """The statistics that the last normalisation gets on one way down, by a hook; then as before."""
    import torch

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


def test_the_commands_say_which_group_they_mean(
    mrtc: Command, checkpoint: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.h5"
    asked = ("eval", checkpoint, "--data", images, "--betas", "0.1,10", "--out", out, "--quiet")
    done = mrtc(*asked, "--metrics", "rates", "--part", "train", "--examples", "100")
    assert done.status == 0, done.err
    assert "of all 3 latent groups" in done.out
    assert "scores of codes of group 0 of 3 (2 maps of 2 x 2)" in done.out
    done = mrtc("rescore", out, "--metrics", "rates", "--json", "--quiet")
    table = json.loads(done.out)
    np.testing.assert_allclose(np.sum(table["rate_group"]["value"], 1), table["rate"]["value"])
    assert table["group"]["value"] == 0
    done = mrtc("plot", out, "--kind", "groups")
    assert done.status == 0, done.err
    assert (tmp_path / "r-groups.png").stat().st_size > 5000
    done = mrtc(*asked, "--group", "99", "--force")
    assert done.status == 2
    assert "choose --group" in done.err
    assert read(out).header.group == 0


def test_a_flat_file_has_no_picture_of_groups(tmp_path: Path, mrtc: Command) -> None:
    from tests.results.conftest import make_header, make_values

    from mrtc.results import open_writer

    with open_writer(tmp_path / "flat.h5", make_header()) as writer:
        writer.write(0, make_values(0))
    with pytest.raises(ResultsError, match="without latent groups"):
        _ = read(tmp_path / "flat.h5").rate_group
    done = mrtc("plot", tmp_path / "flat.h5", "--kind", "groups")
    assert done.status == 2
    assert "give results of a hierarchy" in done.err
