"""``mrtc eval``, ``rescore`` and ``plot`` of hierarchies: they say which group they mean."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mrtc.cli.tables import _cells
from mrtc.results import open_writer, read
from tests.evaluation.hierarchy_toys import own_images, save_hierarchy
from tests.results.conftest import make_header, make_values

from .conftest import Command


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path / "cache"))


def test_the_commands_say_which_group_they_mean(mrtc: Command, tmp_path: Path) -> None:
    checkpoint, images = save_hierarchy(tmp_path / "ckpt.pt"), own_images(tmp_path)
    out = tmp_path / "r.h5"
    asked = ("eval", checkpoint, "--data", images, "--betas", "0.1,10", "--out", out, "--quiet")
    done = mrtc(*asked, "--metrics", "rates")
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


def test_a_search_says_which_group_it_means(mrtc: Command, tmp_path: Path) -> None:
    checkpoint, images = save_hierarchy(tmp_path / "ckpt.pt"), own_images(tmp_path)
    asked = ("find-beta", checkpoint, "--data", images)
    done = mrtc(*asked, "--best", "total_correlation", "--group", "2")
    assert done.status == 0, done.err
    assert "total_correlation is of the codes of group 2 of 3 (2 maps of 4 x 4)" in done.err
    done = mrtc(*asked, "--target-rate", "5", "--group", "2")
    assert done.status == 2
    assert done.err == (
        "mrtc: rate is of all latent groups, and --group is for scores of codes, as --best mig; "
        "leave out --group\n"
    )


def test_a_flat_file_has_no_picture_of_groups(tmp_path: Path, mrtc: Command) -> None:
    with open_writer(tmp_path / "flat.h5", make_header()) as writer:
        writer.write(0, make_values(0))
    done = mrtc("plot", tmp_path / "flat.h5", "--kind", "groups")
    assert done.status == 2
    assert "give results of a hierarchy" in done.err


def test_a_hierarchy_of_ones_own_images(mrtc: Command, tmp_path: Path) -> None:
    """Scaled to the size that was asked for, with what a step needs said before the first."""
    images, rng = tmp_path / "images", np.random.default_rng(0)
    images.mkdir()
    for name in range(40):
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{name}.png")
    out = tmp_path / "own.pt"
    common = ("train", images, "--arch", "nvae", "--steps", "2", "--batch", "8", "--out", out)
    done = mrtc(*common, "--size", "15")
    assert done.status == 2
    assert "15 and a padding of 0" in done.err
    done = mrtc(*common, "--size", "12")
    assert done.status == 0, done.err
    assert "mrtc: a step needs about" in done.err
    done = mrtc("eval", out, "--data", images, "--betas", "0.1,1", "--metrics", "rates", "--json")
    assert done.status == 0, done.err
    assert np.all(np.array(json.loads(done.out)["distortion"]["value"]) > 1_000)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-999.9994, "-999.999"),
        (0.5, "0.500"),
        (-0.0001, "0.000"),
        (-18_507.71, "-18507.7"),
        (1_234.56, "1234.6"),
        (467_200.0, "4.7e+05"),
    ],
)
def test_numbers_keep_to_their_columns(value: float, shown: str) -> None:
    (cell,) = _cells(np.array([value]))
    assert cell == f"{shown:>9}"
