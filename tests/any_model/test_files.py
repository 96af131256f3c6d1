"""Wrapped models on disk: the same numbers again, and what is said of files that do not fit."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mrtc.any_model import load, multirate, save
from mrtc.errors import CheckpointError, OutputError
from mrtc.experiments import load_vae
from mrtc.randomness import torch_stream
from mrtc.training import Checkpoint, TrainingState


def encoder(hidden: int = 12) -> nn.Sequential:
    return nn.Sequential(nn.Linear(16, hidden), nn.BatchNorm1d(hidden), nn.Linear(hidden, 6))


def decoder() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 16))


def images() -> Tensor:
    return torch.rand(5, 16, generator=torch_stream(0, "images"))


@pytest.mark.parametrize("plain", [False, True])
def test_a_model_read_again_is_the_same(tmp_path: Path, plain: bool) -> None:
    vae = multirate(
        encoder(), decoder(), latent=3, betas=(0.1, 4), likelihood="gaussian", plain=plain, seed=3
    ).eval()
    path = tmp_path / "own.pt"
    save(vae, path)
    again = load(path, encoder(), decoder())

    assert again.config == vae.config
    assert str(again.gated_layers) == str(vae.gated_layers)
    x, betas = images(), torch.linspace(0.1, 4, 5)
    assert torch.equal(again.encode(x, betas).log_sigma, vae.encode(x, betas).log_sigma)
    z = vae.encode(x, betas).mean
    assert torch.equal(again.decode(z, betas).log_prob(x), vae.decode(z, betas).log_prob(x))
    assert [*again.state_dict()] == [*vae.state_dict()]


def test_the_state_of_training_is_in_the_file(tmp_path: Path) -> None:
    save(multirate(encoder(), decoder(), latent=3), tmp_path / "own.pt", TrainingState(step=7))
    assert Checkpoint.load(tmp_path / "own.pt").state.step == 7


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "own.pt"
    save(multirate(encoder(), decoder(), latent=3), path)
    return path


def test_other_networks_are_named_and_left_as_they_are(saved: Path) -> None:
    wider, made = encoder(hidden=20), decoder()
    before = made[0].weight.clone()
    with pytest.raises(
        CheckpointError, match=r"another encoder: .*in another shape 0\.weight \(20, 16\) for \(12"
    ):
        load(saved, wider, made)
    assert torch.equal(made[0].weight, before)
    assert not made[0]._forward_hooks
    longer = encoder().append(nn.Linear(6, 6))
    with pytest.raises(CheckpointError, match=r"this one has besides 3\.weight, 3\.bias; give"):
        load(saved, longer, decoder())
    with pytest.raises(CheckpointError, match=r"lacks 1\.weight, 1\.bias, 1\.running_mean"):
        load(saved, nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 6)), decoder())
    with pytest.raises(CheckpointError, match=r"gates for encoder\.2, and these networks have no"):
        load(saved, encoder()[:2], decoder())


def test_files_of_others_are_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        load(tmp_path / "absent.pt", encoder(), decoder())
    foreign = Checkpoint('{"dataset": "dsprites"}', {}, TrainingState())
    foreign.save(tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match=r"not of networks wrapped by .*load_vae"):
        load(tmp_path / "run.pt", encoder(), decoder())
    content = Checkpoint.load(saved)
    for config in (content.config.replace('"codes": 3', '"codes": -3'), "{"):
        Checkpoint(config, content.weights, content.state).save(tmp_path / "broken.pt")
        with pytest.raises(CheckpointError, match=r"settings in .* cannot be read: .*"):
            load(tmp_path / "broken.pt", encoder(), decoder())
    weights = dict(content.weights)
    del weights["encoder.gates.2.slope"]
    Checkpoint(content.config, weights, content.state).save(tmp_path / "broken.pt")
    with pytest.raises(
        CheckpointError, match=r"gates in .* do not fit: .*encoder\.gates\.2\.slope"
    ):
        load(tmp_path / "broken.pt", encoder(), decoder())


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        save(multirate(encoder(), decoder(), latent=3), tmp_path / "file" / "own.pt")


def test_the_commands_say_how_to_read_it(saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"read it with mrtc\.any_model\.load\(path, enc"):
        load_vae(saved)
