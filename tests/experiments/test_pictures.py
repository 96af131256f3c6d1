"""Pictures of checkpoints, compared with what the model itself says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.architectures import ConvConfig, MLPConfig
from mrtc.errors import BetaError, DataError, MrtcError
from mrtc.experiments import RunConfig, load_vae, preset
from mrtc.experiments.pictures import decoded, interpolate, pixels, reconstruct, sample
from mrtc.experiments.presets import baseline
from mrtc.experiments.run import build_vae
from mrtc.experiments.traverse import traversal, traverse
from mrtc.randomness import torch_stream
from mrtc.training import Checkpoint, TrainingState
from tests.toys import small_vae

BETA = np.array([0.1, 1.0, 10.0])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """50 coloured images, of which examples 9, 19, ... are the test part."""
    path = tmp_path / "images.npz"
    values = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), np.uint8)
    np.savez(path, images=values)
    return path


def config(codes: int = 3, channels: int = 3) -> RunConfig:
    return replace(
        preset("dsprites", "quick", "beta"),
        dataset="images",
        model=ConvConfig(codes=codes) if channels == 3 else MLPConfig(hidden=8, codes=codes),
        image_size=32,
        image_shape=(channels, 32, 32),
    )


def save(path: Path, run: RunConfig) -> Path:
    """An untrained model, moved from its beginning, where gates do not depend on beta."""
    vae, noise = build_vae(run), torch_stream(run.seed, "moved")
    with torch.no_grad():
        for weight in vae.parameters():
            weight += 0.02 * torch.randn(weight.shape, generator=noise)
    Checkpoint(run.to_json(), vae.state_dict(), TrainingState()).save(path)
    return path


@pytest.fixture
def multi_rate(tmp_path: Path) -> Path:
    return save(tmp_path / "multi-rate.pt", config())


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return save(tmp_path / "plain.pt", baseline(config(), 4.0))


def test_samples_are_of_the_same_draws_at_every_beta(multi_rate: Path, plain: Path) -> None:
    """Decoded by the model, channels last; a baseline stands at its own beta."""
    picture = sample([multi_rate, plain], betas=BETA, count=5, seed=7)

    z = torch.randn(5, 3, generator=torch_stream(7, "samples"))
    assert [model.name for model in picture.models] == ["multi-rate", "plain"]
    assert [model.beta.tolist() for model in picture.models] == [[0.1, 1, 10], [4]]
    for path, model in zip([multi_rate, plain], picture.models, strict=True):
        vae = load_vae(path)[0]
        for beta, row in zip(model.beta.tolist(), model.images, strict=True):
            with torch.inference_mode():
                mean = vae.decode(z, beta).mean
            np.testing.assert_allclose(row, np.moveaxis(mean.numpy(), 1, 3), atol=1e-5)
    images = picture.models[0].images
    assert abs(images[0] - images[2]).max() > 0.01  # beta matters, so the test means something
    assert "different" not in picture.title


def test_a_model_without_gates_gives_identical_rows() -> None:
    """Which it would not, were the draws others at each beta."""
    vae, generator = small_vae(plain=True), torch_stream(0, "z")
    z = torch.randn(4, 3, generator=generator)
    rows = decoded(vae, BETA, lambda _, __: z)

    np.testing.assert_array_equal(rows, rows[:1].repeat(3, 0))
    assert rows.shape == (3, 4, 8, 8)
    assert abs(rows[0, 0] - rows[0, 1]).max() > 1e-3


def test_models_of_other_sizes_have_other_draws_and_the_title_says_so(
    tmp_path: Path, multi_rate: Path
) -> None:
    other = save(tmp_path / "other.pt", config(codes=5))
    picture = sample([multi_rate, other], betas=BETA)

    assert picture.title.endswith("models of 3 and 5 codes have different draws")


def test_names_tell_checkpoints_apart(tmp_path: Path, multi_rate: Path) -> None:
    (tmp_path / "sub").mkdir()
    other = save(tmp_path / "sub" / "multi-rate.pt", replace(config(), seed=1))
    picture = sample([multi_rate, other], betas=BETA)

    assert [model.name for model in picture.models] == [str(multi_rate), str(other)]


def test_the_first_row_is_the_examples_and_the_others_what_is_made_of_them(
    multi_rate: Path, plain: Path, images: Path
) -> None:
    picture = reconstruct([multi_rate, plain], betas=BETA, examples=[3, 0], data=images)

    given = np.load(images)["images"][[39, 9]] / 255
    assert picture.originals is not None
    np.testing.assert_allclose(picture.originals, given, atol=1e-5)
    assert picture.column_labels == ("3", "0")
    x = torch.from_numpy(given).float().movedim(-1, 1)
    for path, model in zip([multi_rate, plain], picture.models, strict=True):
        vae = load_vae(path)[0]
        for beta, row in zip(model.beta.tolist(), model.images, strict=True):
            with torch.inference_mode():
                mean = vae.decode(vae.encode(x, beta).mean, beta).mean.numpy()
            np.testing.assert_allclose(row, np.moveaxis(mean, 1, 3), atol=1e-5)


def test_examples_are_drawn_by_the_seed(multi_rate: Path, images: Path) -> None:
    def labels(seed: int, count: int) -> tuple[str, ...]:
        picture = reconstruct([multi_rate], betas=BETA[:1], count=count, seed=seed, data=images)
        return picture.column_labels

    assert labels(0, 3) == labels(0, 3)
    assert len({labels(seed, 3) for seed in range(4)}) > 1
    assert labels(0, 100) == ("0", "1", "2", "3", "4")  # all that there are


@pytest.mark.parametrize("spherical", [False, True])
def test_the_ends_of_an_interpolation_are_the_reconstructions(
    multi_rate: Path, images: Path, spherical: bool
) -> None:
    between = interpolate(multi_rate, 4, 1, betas=BETA, columns=5, spherical=spherical, data=images)
    ends = reconstruct([multi_rate], betas=BETA, examples=[4, 1], data=images)

    np.testing.assert_allclose(
        between.models[0].images[:, [0, -1]], ends.models[0].images, atol=1e-5
    )
    assert between.originals is not None
    assert ends.originals is not None
    np.testing.assert_array_equal(between.originals[[0, -1]], ends.originals)
    assert (between.originals[1:-1] == 1).all()
    assert between.column_labels == ("0", "0.25", "0.5", "0.75", "1")
    assert ("circle" in between.title) is spherical
    vae = load_vae(multi_rate)[0]
    x = torch.from_numpy(np.moveaxis(ends.originals, 3, 1))
    with torch.inference_mode():
        first, last = vae.encode(x, 1.0).mean.double()
        middle = (first + last) / 2
        if spherical:  # half of an angle: the bisector of the directions, in the same formula
            cosine = first @ last / first.norm() / last.norm()
            middle = middle / ((1 + cosine) / 2).sqrt()
        expected = vae.decode(middle.float()[None], 1.0).mean[0].numpy()
    np.testing.assert_allclose(
        between.models[0].images[1, 2], np.moveaxis(expected, 0, 2), atol=1e-5
    )


def test_a_traversal_of_coloured_images_sets_one_code_in_each_row(
    multi_rate: Path, images: Path
) -> None:
    drawing = traversal(multi_rate, betas=BETA, example=2, columns=3, data=images)

    vae = load_vae(multi_rate)[0]
    x = torch.from_numpy(np.load(images)["images"][[29]] / 255).float().movedim(-1, 1)
    assert drawing.images.shape == (3, 3, 3, 32, 32, 3)
    assert drawing.column_labels == ("-2.0", "0.0", "2.0")
    with torch.inference_mode():
        order = vae.encode(x, 0.1).rate()[0].argsort(descending=True).tolist()
        assert drawing.row_labels == tuple(f"code {code}" for code in order)
        for row, code in enumerate(order):
            z = vae.encode(x, 10.0).mean
            z[0, code] = 2.0
            mean = vae.decode(z, 10.0).mean[0].numpy()
            np.testing.assert_allclose(
                drawing.images[2, row, 2], np.moveaxis(mean, 0, 2), atol=1e-5
            )
    figure = traverse(multi_rate, betas=BETA, example=2, columns=3, data=images)
    assert len(figure.axes) == 3


def test_grey_images_have_no_axis_for_channels(tmp_path: Path) -> None:
    grey = save(tmp_path / "grey.pt", config(channels=1))

    assert sample([grey], betas=BETA, count=2).models[0].images.shape == (3, 2, 32, 32)


def test_channels_go_last() -> None:
    images = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)

    assert pixels(images)[1, 2, 3].tolist() == images[1, :, 2, 3].tolist()
    assert pixels(images[:, :1])[1, 2, 3] == images[1, 0, 2, 3]
    with pytest.raises(MrtcError, match="images of 2 channels cannot be drawn"):
        pixels(images[:, :2])


@pytest.mark.parametrize("example", [-1, 5])
def test_an_example_that_is_not_there_is_refused(
    multi_rate: Path, images: Path, example: int
) -> None:
    words = f"there is no example {example}; images has 0 to 4"
    with pytest.raises(MrtcError, match=words):
        reconstruct([multi_rate], betas=BETA, examples=[0, example], data=images)
    with pytest.raises(MrtcError, match=words):
        interpolate(multi_rate, 0, example, betas=BETA, data=images)


def test_betas_outside_the_range_are_refused(multi_rate: Path, plain: Path) -> None:
    outside = np.array([1.0, 20.0])
    with pytest.raises(BetaError, match="beta 20 lies outside the trained range"):
        sample([multi_rate, plain], betas=outside)
    with pytest.raises(BetaError, match="trained at beta 4"):
        sample([plain], betas=outside)
    picture = sample([multi_rate], betas=outside, count=2, extrapolate=True)
    assert picture.models[0].beta.tolist() == [1, 20]


def test_images_of_other_kinds_are_refused(tmp_path: Path, multi_rate: Path) -> None:
    grey = save(tmp_path / "grey.pt", config(channels=1))
    with pytest.raises(MrtcError, match="of different images: multi-rate of images, grey of"):
        sample([multi_rate, grey], betas=BETA)
    other = tmp_path / "small.npz"
    np.savez(other, images=np.full((20, 16, 16, 3), 200, np.uint8))
    with pytest.raises(DataError, match=r"trained on shape \(3, 32, 32\); give the data"):
        reconstruct([multi_rate], betas=BETA, data=other)
