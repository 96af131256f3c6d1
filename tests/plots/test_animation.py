"""Animations, as another reader finds them: frames, durations, colours, size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from mrtc.errors import OutputError
from mrtc.plots import animation
from mrtc.plots.animation import FRAME_DPI, REST, SLACK, STEP, frame_of, is_animation, save_gif
from mrtc.plots.panels import Panel, panels


def read(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """Frames in RGB, and their durations in milliseconds."""
    with Image.open(path) as image:
        frames = [
            (np.asarray(frame.convert("RGB")).astype(int), int(frame.info["duration"]))
            for frame in ImageSequence.Iterator(image)
        ]
        assert image.info["loop"] == 0
    return [frame for frame, _ in frames], [duration for _, duration in frames]


def colours(count: int, grey: bool = False) -> list[Image.Image]:
    """Smooth images that differ well, with black and white in them."""
    frames = []
    for level in np.linspace(0, 1, count):
        x, y = np.meshgrid(np.linspace(0, 1, 40), np.linspace(0, 1, 30))
        frame = np.stack([x, x if grey else y, x if grey else x * 0 + level], axis=-1)
        frame[:5], frame[5:10] = 0, 1
        frame[-1] = level
        frames.append(Image.fromarray((255 * frame).astype(np.uint8)))
    return frames


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_frames_run_forwards_and_back(tmp_path: Path, count: int) -> None:
    """The first and the last rest; no frame stands twice."""
    save_gif(colours(count, grey=True), tmp_path / "a.gif")
    if count == 1:
        with Image.open(tmp_path / "a.gif") as image:
            assert image.n_frames == 1
        return
    frames, durations = read(tmp_path / "a.gif")

    there = [REST, *[STEP] * (count - 2), REST]
    assert durations == there + [STEP] * (count - 2)
    levels = [int(frame[-1, 0, 0]) for frame in frames]
    expected = [round(255 * level) for level in np.linspace(0, 1, count)]
    np.testing.assert_allclose(levels, expected + expected[-2:0:-1], atol=3)


def test_grey_stays_grey(tmp_path: Path) -> None:
    """To half a level of 64, and a change too small to be seen."""
    given = colours(4, grey=True)
    save_gif(given, tmp_path / "a.gif")
    frames, _ = read(tmp_path / "a.gif")

    for frame, original in zip(frames, given, strict=False):
        assert abs(frame - np.asarray(original)).max() <= 3 + SLACK
        assert (frame == frame[..., :1]).all()


def test_every_pixel_has_the_nearest_colour_that_there_is(tmp_path: Path) -> None:
    """By comparison with all colours of the file; but for the rounding to 64 levels before."""
    given = colours(4)
    save_gif(given, tmp_path / "a.gif")
    frames, _ = read(tmp_path / "a.gif")

    wanted = np.asarray(given[0]).astype(int)
    there = np.unique(np.concatenate([frame.reshape(-1, 3) for frame in frames]), axis=0)
    nearest = np.linalg.norm(wanted[..., None, :] - there, axis=-1).min(-1)
    assert (np.linalg.norm(frames[0] - wanted, axis=-1) <= nearest + 2 * 3**0.5 * 2.1).all()
    assert nearest.mean() < 12
    for frame in frames:
        assert (frame[:5] == 0).all()
        assert (frame[5:10] == 255).all()


def test_a_large_file_gets_fewer_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = colours(6)
    sizes, entries = [], []
    for large in (3_000_000, 1000):
        monkeypatch.setattr(animation, "LARGE", large)
        save_gif(given, tmp_path / "a.gif")
        sizes.append((tmp_path / "a.gif").stat().st_size)
        seen = np.concatenate([frame.reshape(-1, 3) for frame in read(tmp_path / "a.gif")[0]])
        entries.append(len(np.unique(seen, axis=0)))

    assert 128 < entries[0] <= 255
    assert entries[1] <= 128
    assert sizes[1] < 0.9 * sizes[0]


def test_nothing_is_dithered_and_what_stays_does_not_flicker(tmp_path: Path) -> None:
    """An area of one colour stays of one colour, the same in all frames."""
    given = colours(5)
    for frame in given:
        frame.paste((200, 120, 33), (10, 12, 30, 25))
    save_gif(given, tmp_path / "a.gif")
    frames, _ = read(tmp_path / "a.gif")

    areas = np.concatenate([frame[12:25, 10:30].reshape(-1, 3) for frame in frames])
    assert len(np.unique(areas, axis=0)) == 1


def test_a_small_change_is_left_out_and_many_are_not(tmp_path: Path) -> None:
    """Steps of one level, invisible each, add up."""
    ramp = [Image.fromarray(np.full((20, 20, 3), level, np.uint8)) for level in range(100, 140)]
    save_gif(ramp, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        image.seek(image.n_frames // 2)
        middle = np.asarray(image.convert("RGB")).astype(int)

    assert abs(middle - 139).max() <= 3 + SLACK


def test_thirty_frames_of_64_images_are_small(tmp_path: Path) -> None:
    """Of blobs that grow, as samples of a model do, in colour: under 3 MB."""
    draw = np.random.default_rng(0)
    x = np.linspace(-1, 1, 64)
    centre, width, colour = (
        draw.uniform(-0.5, 0.5, (2, 64)),
        draw.uniform(2, 9, 64),
        draw.random((64, 3)),
    )
    frames = []
    for growth in np.geomspace(0.5, 2, 30):
        distance = (x[:, None] - centre[0][:, None, None]) ** 2 + (
            x - centre[1][:, None, None]
        ) ** 2
        blob = np.exp(-distance * width[:, None, None] * growth)[..., None] * colour[:, None, None]
        frames.append(
            frame_of(panels([[Panel(blob.reshape(8, 8, 64, 64, 3), [""] * 8)]], dpi=FRAME_DPI))
        )
    save_gif(frames, tmp_path / "a.gif")

    assert (tmp_path / "a.gif").stat().st_size < 3e6
    assert frames[0].size[0] >= 8 * 64


@pytest.mark.parametrize(
    ("name", "animated"), [("a.GIF", True), ("a.png", False), ("a.PDF", False)]
)
def test_the_suffix_chooses(name: str, animated: bool) -> None:
    assert is_animation(Path(name)) is animated


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.mp4"])
def test_another_suffix_is_refused(name: str) -> None:
    with pytest.raises(OutputError, match=r"choose one of \.png, \.pdf, \.svg, or \.gif"):
        is_animation(Path(name))
