"""Checkpoints: what comes back, and what is refused."""

import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from mrtc.errors import CheckpointError
from mrtc.training import Checkpoint, TrainingState
from mrtc.training.state import FORMAT, VERSION


def checkpoint() -> Checkpoint:
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(1)}
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([parameter])
    parameter.sum().backward()
    optimizer.step()
    state = TrainingState(7, optimizer.state_dict(), [{"step": 0, "rate": 1.5}])
    return Checkpoint('{"x": 1}', weights, state)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    path, saved = tmp_path / "c.pt", checkpoint()
    saved.save(path)
    loaded = Checkpoint.load(path)
    assert loaded.config == saved.config
    assert loaded.state.step == 7
    assert loaded.state.history == saved.state.history
    assert all(torch.equal(loaded.weights[name], saved.weights[name]) for name in saved.weights)
    for name, value in saved.state.optimizer["state"][0].items():
        assert torch.equal(loaded.state.optimizer["state"][0][name], value)
    assert loaded.fingerprint() == saved.fingerprint()


def test_vectors_of_a_penalty_come_back_and_older_files_have_none(tmp_path: Path) -> None:
    path, saved = tmp_path / "c.pt", checkpoint()
    saved.state.spectral = {"first": torch.ones(3) / 3**0.5}
    saved.save(path)
    assert Checkpoint.load(path).state.spectral.keys() == {"first"}
    assert torch.equal(Checkpoint.load(path).state.spectral["first"], torch.ones(3) / 3**0.5)
    content = torch.load(path, weights_only=True)
    del content["spectral"]
    torch.save(content, path)
    assert Checkpoint.load(path).state.spectral == {}


def test_the_fingerprint_changes_with_weights_and_configuration() -> None:
    one, two, three = checkpoint(), checkpoint(), checkpoint()
    two.weights["b"][0] = 2
    three.config = "{}"
    assert len({c.fingerprint() for c in (one, two, three)}) == 3
    one.state.step = 8
    assert one.fingerprint() == checkpoint().fingerprint()


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    assert "there is no checkpoint" in refused(tmp_path / "c.pt")
    assert "there is no checkpoint" in refused(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95, 0.999])
def test_a_truncated_checkpoint(tmp_path: Path, share: float) -> None:
    path = tmp_path / "c.pt"
    checkpoint().save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert "is no checkpoint of mrtc" in refused(path)


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    checkpoint().save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    path.write_bytes(data)
    assert "is damaged" in refused(path) or "is no checkpoint of mrtc" in refused(path)


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    path.write_text("<html>not found</html>")
    assert "is no checkpoint of mrtc" in refused(path)
    torch.save({"state_dict": {"w": torch.ones(2)}}, path)
    assert "is no checkpoint of mrtc" in refused(path)
    torch.save([1, 2], path)
    assert "is no checkpoint of mrtc" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(path)


def test_a_checkpoint_of_a_newer_format(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.save({"format": FORMAT, "version": VERSION + 1}, path)
    assert f"has checkpoint format {VERSION + 1}, and this mrtc reads up to {VERSION}" in refused(
        path
    )


class Evil:
    """Unpickling it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize("as_torch", [True, False])
def test_a_checkpoint_cannot_run_code(tmp_path: Path, as_torch: bool) -> None:
    path, target = tmp_path / "c.pt", tmp_path / "touched"
    content = {"format": FORMAT, "version": VERSION, "weights": Evil(target)}
    if as_torch:
        torch.save(content, path)
    else:
        buffer = io.BytesIO()
        pickle.dump(content, buffer)
        path.write_bytes(buffer.getvalue())
    refused(path)
    assert not target.exists()
