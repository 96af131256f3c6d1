"""``mrtc eval``, ``rescore`` and ``plot`` of hierarchies: they say which group they mean."""

import json
from pathlib import Path

import numpy as np
import pytest

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


def test_a_flat_file_has_no_picture_of_groups(tmp_path: Path, mrtc: Command) -> None:
    with open_writer(tmp_path / "flat.h5", make_header()) as writer:
        writer.write(0, make_values(0))
    done = mrtc("plot", tmp_path / "flat.h5", "--kind", "groups")
    assert done.status == 2
    assert "give results of a hierarchy" in done.err
