"""The commands that draw images, as somebody who makes slides uses them."""

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import TINY, Command


@pytest.fixture(scope="module")
def commands() -> dict[str, tuple[str, ...]]:
    return {
        "sample": ("--count", "4", "--temperature", "0.7"),
        "reconstruct": ("--examples", "0,5,700000", "--quiet"),
        "interpolate": ("--from", "0", "--to", "700000", "--columns", "3", "--quiet"),
        "traverse": ("--columns", "3", "--quiet"),
    }


@pytest.mark.parametrize("name", ["sample", "reconstruct", "interpolate", "traverse"])
def test_pictures_and_animations_are_written(
    mrtc: Command, checkpoint: Path, commands: dict[str, tuple[str, ...]], name: str
) -> None:
    options = (*commands[name], "--betas", "0.1,1,10")
    for suffix in ("png", "gif"):
        done = mrtc(name, checkpoint, *options, "--out", f"a.{suffix}")
        assert (done.status, done.out.strip()) == (0, f"a.{suffix}"), done.err
        with Image.open(f"a.{suffix}") as image:
            assert image.format == suffix.upper()
            assert getattr(image, "n_frames", 1) <= 4
            assert min(image.size) > 100


def test_files_get_telling_names_beside_the_checkpoint(mrtc: Command, checkpoint: Path) -> None:
    done = mrtc("sample", checkpoint, "--count", "2")
    assert done.status == 0
    path = checkpoint.with_name("ckpt-samples.png")
    assert Path(done.out.strip()) == path
    path.unlink()


def test_a_baseline_is_drawn_beside_the_multi_rate_model(mrtc: Command, checkpoint: Path) -> None:
    assert mrtc("train", "dsprites", *TINY, "--beta", "4", "--out", "b.pt").status == 0
    assert mrtc("sample", "b.pt", "--out", "b.png").status == 0
    assert mrtc("sample", "b.pt", checkpoint, "--out", "two.png").status == 0
    with Image.open("b.png") as one, Image.open("two.png") as both:
        assert both.size[1] > 4 * one.size[1]  # six rows instead of one


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sample", "--out", "a.jpg"), "choose one of .png, .pdf, .svg, or .gif"),
        (("reconstruct", "--examples", "0,x"), "'0,x' is not a list of examples"),
        (("reconstruct", "--examples", "-1"), "there is no example -1; dsprites has 0 to 737279"),
        (("interpolate", "--from", "0", "--to", "737280"), "there is no example 737280"),
        (("sample", "--betas", "20"), "lies outside the trained range"),
        (("sample", "--temperature", "-1"), "a temperature of -1.0 cannot be used"),
        (("traverse", "--group", "0"), "this model has no latent groups, and group 0 was asked"),
        (("traverse", "--maps"), "no latent groups, and so no maps of codes; leave out --maps"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    mrtc: Command, checkpoint: Path, arguments: tuple[str, ...], words: str
) -> None:
    name, *options = arguments
    done = mrtc(name, checkpoint, *options)
    assert done.status == 2
    assert words in done.err
