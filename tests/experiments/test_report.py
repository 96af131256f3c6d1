"""Pictures of a checkpoint in its results file, and the report of both."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.architectures import MLPConfig
from mrtc.errors import MrtcError, OutputError, ResultsError
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.evaluate import evaluate
from mrtc.experiments.pictures import reconstruct, sample
from mrtc.experiments.report import write_report
from mrtc.experiments.run import build_vae
from mrtc.experiments.stored_pictures import add_pictures, require_pictures
from mrtc.experiments.traverse import traversal
from mrtc.randomness import torch_stream
from mrtc.results.pictures import read_pictures
from mrtc.training import Checkpoint, TrainingState

BETA = np.geomspace(0.1, 10, 5)


def config(channels: int) -> RunConfig:
    return replace(
        preset("dsprites", "quick", "beta"),
        dataset="images",
        model=MLPConfig(hidden=8, codes=4),
        image_size=8,
        image_shape=(channels, 8, 8),
    )


def save(path: Path, run: RunConfig) -> Path:
    """An untrained model, moved from its beginning, where gates do not depend on beta."""
    vae, noise = build_vae(run), torch_stream(run.seed, "moved")
    with torch.no_grad():
        for weight in vae.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=noise)
    Checkpoint(run.to_json(), vae.state_dict(), TrainingState()).save(path)
    return path


@pytest.fixture(params=[1, 3])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, Path]:
    """A checkpoint, its results file, and the data of both."""
    channels = request.param
    shape = (100, 8, 8) if channels == 1 else (100, 8, 8, 3)
    data = tmp_path / "images.npz"
    np.savez(data, images=np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    checkpoint = save(tmp_path / "model.pt", config(channels))
    out = tmp_path / "model.h5"
    evaluate(checkpoint, out, betas=BETA, data=data, device="cpu", quiet=True)
    return checkpoint, out, data


def as_bytes(images: np.ndarray) -> np.ndarray:
    return np.round(images.clip(0, 1) * 255)


def test_pictures_are_those_of_the_picture_commands(model: tuple[Path, Path, Path]) -> None:
    checkpoint, out, data = model
    add_pictures(checkpoint, out, data=data, quiet=True)
    found = read_pictures(out)
    assert found is not None
    np.testing.assert_allclose(found.beta, BETA)
    drawn = sample([checkpoint], betas=BETA, count=16)
    examples = found.example.tolist()
    made = reconstruct([checkpoint], betas=BETA, examples=examples, data=data, quiet=True)
    start = found.parameters["traversed"]
    moved = traversal(checkpoint, betas=BETA, example=start, data=data, quiet=True)
    assert made.originals is not None
    expected = {
        "originals": made.originals,
        "reconstructions": made.models[0].images,
        "samples": drawn.models[0].images,
    }
    for name, images in expected.items():
        # Batches of other sizes are summed in another order: a byte may be rounded otherwise.
        np.testing.assert_allclose(getattr(found, name), as_bytes(images), atol=1)
    assert len(found.code) == len(moved.row_labels)
    for row, label in enumerate(moved.row_labels):
        code = int(label.removeprefix("code "))
        np.testing.assert_allclose(
            found.traversals[:, found.code.tolist().index(code)],
            as_bytes(moved.images[:, row]),
            atol=1,
        )


def test_few_betas_are_spread_over_the_grid(model: tuple[Path, Path, Path]) -> None:
    checkpoint, out, data = model
    for most, expected in ((3, BETA[[0, 2, 4]]), (1, BETA[:1])):
        pictures = add_pictures(checkpoint, out, most=most, data=data, quiet=True)
        np.testing.assert_allclose(pictures.beta, expected)


def test_a_report_makes_the_pictures_of_its_checkpoints(model: tuple[Path, Path, Path]) -> None:
    pytest.importorskip("plotly")
    checkpoint, out, data = model
    place = out.with_name("report.html")
    write_report([out], place, data=data, quiet=True)
    without = place.read_text("utf-8")
    written = write_report([out], place, checkpoints=[checkpoint], data=data, quiet=True)
    assert written == place
    assert "There are no pictures" in without
    assert "There are no pictures" not in place.read_text("utf-8")
    write_report([out], place, quiet=True)  # the file keeps them
    assert "There are no pictures" not in place.read_text("utf-8")


def test_what_cannot_be_is_refused(model: tuple[Path, Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    _, out, data = model
    channels = np.load(data)["images"].ndim == 4
    other = save(tmp_path / "other.pt", replace(config(3 if channels else 1), seed=1))
    with pytest.raises(ResultsError, match="model of none of the results files: its weights are"):
        write_report([out], tmp_path / "a.html", checkpoints=[other], quiet=True)
    with pytest.raises(ResultsError, match="another model than"):
        add_pictures(other, out, data=data, quiet=True)
    with pytest.raises(OutputError, match=r"its suffix is '\.h5'; name a file that ends in"):
        write_report([out], out, quiet=True)
    assert not (tmp_path / "a.html").exists()


def test_documents_have_no_pictures(tmp_path: Path) -> None:
    run = replace(preset("text", "quick", "beta"), tokens=20)
    path = tmp_path / "text.pt"
    Checkpoint(run.to_json(), build_vae(run).state_dict(), TrainingState(), "").save(path)
    with pytest.raises(MrtcError, match=r"a model of documents .*; leave them out here"):
        require_pictures(path)
