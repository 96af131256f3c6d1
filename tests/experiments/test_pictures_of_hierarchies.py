"""Pictures of hierarchies, compared with decodings of codes that are put together here."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mrtc.architectures import MLPConfig
from mrtc.architectures.nvae import NVAEConfig
from mrtc.errors import MrtcError
from mrtc.experiments import RunConfig, load_vae, preset
from mrtc.experiments.evaluate import evaluate
from mrtc.experiments.pictures import interpolate, reconstruct, sample
from mrtc.experiments.run import build_vae
from mrtc.experiments.stored_pictures import CODES, add_pictures
from mrtc.experiments.traverse import traversal
from mrtc.randomness import torch_stream
from mrtc.report import render
from mrtc.report.series import Source
from mrtc.results import read
from mrtc.results.pictures import read_pictures
from mrtc.training import Checkpoint, TrainingState
from mrtc.vae import VAE
from tests.hierarchies import SMALL

BETA = np.array([0.1, 1.0, 10.0])
GROUPS = [(0, 8), (8, 32), (40, 32)]
"""First code and codes of each group of ``SMALL``: 2 maps of 2 x 2, then twice of 4 x 4."""


def config(model: NVAEConfig | MLPConfig) -> RunConfig:
    return replace(
        preset("dsprites", "quick", "beta"),
        dataset="images",
        model=model,
        image_size=8,
        image_shape=(1, 8, 8),
    )


def save(path: Path, run: RunConfig) -> Path:
    """An untrained model, moved from its beginning, where gates do not depend on beta."""
    vae, noise = build_vae(run), torch_stream(run.seed, "moved")
    with torch.no_grad():
        for weight in vae.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=noise)
    Checkpoint(run.to_json(), vae.state_dict(), TrainingState()).save(path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 images, of which examples 9, 19, ... are the test part."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8))
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model") / "nvae.pt", config(SMALL))


def image(data: Path, example: int) -> torch.Tensor:
    """An example of the test part, as the model reads it."""
    return torch.from_numpy(np.load(data)["images"][[10 * example + 9]] / 255).float()[:, None]


@torch.inference_mode()
def decoded(vae: VAE, z: torch.Tensor, beta: float) -> np.ndarray:
    return vae.decode(z, beta).mean[:, 0].numpy()


@pytest.mark.parametrize("temperature", [0.7, 1.5])
def test_a_temperature_scales_the_draws(checkpoint: Path, temperature: float) -> None:
    picture = sample([checkpoint], betas=BETA, count=4, seed=3, temperature=temperature)

    vae = load_vae(checkpoint)[0]
    z = temperature * torch.randn(4, 72, generator=torch_stream(3, "samples"))
    for at, beta in enumerate(BETA.tolist()):
        np.testing.assert_allclose(picture.models[0].images[at], decoded(vae, z, beta), atol=1e-6)
    assert picture.title.endswith(f"at temperature {temperature:g}")
    plain = sample([checkpoint], betas=BETA, count=4, seed=3)
    assert abs(plain.models[0].images - picture.models[0].images).max() > 1e-3
    assert "temperature" not in plain.title


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_is_positive(checkpoint: Path, temperature: float) -> None:
    with pytest.raises(MrtcError, match="cannot be used; give a positive number: 1 for the model"):
        sample([checkpoint], betas=BETA, temperature=temperature)


def test_reconstructions_go_down_along_posterior_means(checkpoint: Path, data: Path) -> None:
    """As one way down without noise, which decodes the codes while it finds them."""
    picture = reconstruct([checkpoint], betas=BETA, examples=[3], data=data, quiet=True)
    ends = interpolate(checkpoint, 3, 5, betas=BETA, columns=3, data=data, quiet=True)

    vae, x = load_vae(checkpoint)[0], image(data, 3)
    for at, beta in enumerate(BETA.tolist()):
        with torch.inference_mode():
            found = vae.infer(vae.encoder.stem(x), beta, torch.zeros(1, 72))
        expected = found.likelihood.mean[:, 0].numpy()
        np.testing.assert_allclose(picture.models[0].images[at], expected, atol=1e-5)
        np.testing.assert_allclose(ends.models[0].images[at, :1], expected, atol=1e-5)


@pytest.mark.parametrize("group", [None, 1, 2])
def test_a_traversal_moves_codes_of_one_group_and_no_others(
    checkpoint: Path, data: Path, group: int | None
) -> None:
    drawing = traversal(checkpoint, betas=BETA, example=2, group=group, columns=3, data=data)

    vae, x = load_vae(checkpoint)[0], image(data, 2)
    first, codes = GROUPS[group or 0]
    side = 4 if group else 2
    with torch.inference_mode():
        posterior = vae.encode(x, 0.1)
        rate = 0.5 * (posterior.mean**2 + posterior.log_sigma.mul(2).exp() - 1)
        rate = (rate - posterior.log_sigma)[0, first : first + codes]
        mean = vae.encode(x, 10.0).mean
    order = rate.argsort(descending=True)[:10].tolist()
    assert drawing.images.shape == (3, min(10, codes), 3, 8, 8)
    z = mean.clone().repeat(len(order), 1)
    for row, code in enumerate(order):
        z[row, first + code] = 2.0
        channel, place = divmod(code, side * side)
        assert drawing.row_labels[row] == f"map {channel} ({place // side}, {place % side})"
    np.testing.assert_allclose(drawing.images[2, :, 2], decoded(vae, z, 10.0), atol=1e-5)
    about = f"codes of group {group or 0} of 3 (2 maps of {side} x {side})"
    assert about in drawing.title
    assert drawing.title.endswith("whitened codes") is (group != 2)  # below the last are none


def test_rows_are_the_codes_of_the_greatest_rates(checkpoint: Path, data: Path) -> None:
    few, all_of_them = (
        traversal(checkpoint, betas=BETA[:1], rows=rows, columns=2, data=data) for rows in (3, 99)
    )
    assert len(all_of_them.row_labels) == 8
    assert few.row_labels == all_of_them.row_labels[:3]
    np.testing.assert_allclose(few.images, all_of_them.images[:, :3], atol=1e-5)


def test_a_whole_map_moves_from_where_it_is(checkpoint: Path, data: Path) -> None:
    drawing = traversal(
        checkpoint, betas=BETA, example=2, group=1, maps=True, span=1.0, columns=3, data=data
    )

    vae, x = load_vae(checkpoint)[0], image(data, 2)
    assert sorted(drawing.row_labels) == ["map 0", "map 1"]
    for row, label in enumerate(drawing.row_labels):
        first = 8 + 16 * int(label.removeprefix("map "))
        for at, beta in enumerate(BETA.tolist()):
            with torch.inference_mode():
                mean = vae.encode(x, beta).mean
            z = mean.clone().repeat(3, 1)
            z[0, first : first + 16] -= 1
            z[2, first : first + 16] += 1
            np.testing.assert_allclose(drawing.images[at, row], decoded(vae, z, beta), atol=1e-5)
    assert "whole maps of group 1 of 3" in drawing.title


def test_what_a_model_has_not_is_refused(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    flat = save(tmp_path / "flat.pt", config(MLPConfig(hidden=8, codes=4)))
    words = (
        r"no group 3; choose --group among .* first: 0 \(2 maps of 2 x 2\), 1 to 2 \(2 maps of 4"
    )
    with pytest.raises(MrtcError, match=words):
        traversal(checkpoint, betas=BETA, group=3, data=data)
    with pytest.raises(MrtcError, match="no latent groups, and group 0 was asked for: its 4 codes"):
        traversal(flat, betas=BETA, group=0, data=data)
    with pytest.raises(MrtcError, match="no latent groups, and so no maps of codes; leave out --m"):
        traversal(flat, betas=BETA, maps=True, data=data)


@pytest.fixture(scope="module")
def results(checkpoint: Path, data: Path) -> Path:
    """Of the middle group."""
    out = checkpoint.with_name("nvae.h5")
    evaluate(checkpoint, out, betas=BETA, data=data, group=1, device="cpu", quiet=True)
    add_pictures(checkpoint, out, data=data, quiet=True)
    return out


def test_stored_traversals_are_of_the_group_that_the_file_keeps(
    checkpoint: Path, data: Path, results: Path
) -> None:
    found = read_pictures(results)

    assert found is not None
    assert found.parameters["group"] == 1
    assert len(found.code) == CODES
    assert found.code.max() < 32
    start = found.parameters["traversed"]
    moved = traversal(checkpoint, betas=BETA, example=start, group=1, rows=32, data=data)
    for row, code in enumerate(found.code.tolist()):
        label = f"map {code // 16} ({code % 16 // 4}, {code % 4})"
        images = 255 * moved.images[:, moved.row_labels.index(label)]
        np.testing.assert_allclose(found.traversals[:, row], images, atol=1)
    drawn = sample([checkpoint], betas=BETA, count=16)
    np.testing.assert_allclose(found.samples, 255 * drawn.models[0].images, atol=1)


def test_a_report_says_whose_codes_it_shows(results: Path) -> None:
    pytest.importorskip("plotly", reason="reports need plotly: pip install 'mrtc[report]'")
    page = render([Source(results, read(results), read_pictures(results))])

    words = "group 1 of 3 (2 maps of 4 x 4)"
    assert f"scores of codes, and the map, are of {words} alone" in page
    assert f'"group": "{words}"' in page  # of the traversals
    assert "<td>0 (2 maps of 2 x 2), 1 to 2 (2 maps of 4 x 4)</td>" in page
