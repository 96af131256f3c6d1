"""The file that travels: it reads what was written, alone, and says what it cannot read."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mrtc.datasets.vocabulary import Vocabulary
from mrtc.frozen import FrozenTextVAE, FrozenVAE, frozen_vae, load
from tests.frozen.models import CASES, HIERARCHIES, VOCABULARY, documents, make

SHAPES = {name: shape for name, (shape, _) in {**CASES, **HIERARCHIES}.items()}

ALONE = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"mrtc", "jaxtyping", "beartype", "pydantic"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
sys.path.insert(0, sys.argv[1])
import torch
from frozen_vae import load
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
model, given = load(sys.argv[1] + "/m.safetensors"), load_file(sys.argv[1] + "/in.safetensors")
mean, log_sigma = model.encode(given["x"])
made = {"mean": mean, "log_sigma": log_sigma, "log_prob": model.log_prob(given["x"], given["z"])}
save_file({k: v.contiguous() for k, v in made.items()}, sys.argv[1] + "/out.safetensors")
assert not [name for name in sys.modules if name.startswith("mrtc")]
"""


@pytest.mark.parametrize("name", ["conv-chen-after_norm", "lstm-texar-head-gated", "nvae-colours"])
def test_it_runs_where_mrtc_cannot_be_imported(name: str, tmp_path: Path) -> None:
    vae, generator = make(name), torch.Generator().manual_seed(1)
    shutil.copy(frozen_vae.__file__, tmp_path / "frozen_vae.py")
    (tmp_path / "m.safetensors").write_bytes(vae.freeze(0.3).to_bytes())
    z = torch.randn(4, vae.codes, generator=generator)
    x = documents(4, generator)
    if len(SHAPES[name]) > 1:
        x = torch.rand(4, *SHAPES[name], generator=generator).round()
    save_file({"x": x, "z": z}, tmp_path / "in.safetensors")
    (tmp_path / "alone.py").write_text(ALONE)

    command = [sys.executable, "-I", str(tmp_path / "alone.py"), str(tmp_path)]
    subprocess.run(command, check=True, cwd=tmp_path)

    with (
        frozen_vae.safe_open(tmp_path / "out.safetensors", framework="pt") as file,
        torch.no_grad(),
    ):
        posterior = vae.encode(x, 0.3)
        expected = {"mean": posterior.mean, "log_sigma": posterior.log_sigma}
        expected["log_prob"] = vae.decode(z, 0.3).log_prob(x)
        for key, value in expected.items():
            torch.testing.assert_close(file.get_tensor(key), value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["linear-exact", "resnet-28", "lstm-he2019-bare-gated", "nvae"])
def test_it_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    frozen = make(name).freeze(0.3)
    path = tmp_path / "m.safetensors"
    path.write_bytes(frozen.to_bytes())
    before = torch.get_rng_state()
    again = load(path)
    assert torch.equal(torch.get_rng_state(), before)
    assert again.about == frozen.about
    assert again.to_bytes() == path.read_bytes()
    ours, theirs = again.state_dict(), frozen.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_words_are_those_of_the_vocabulary() -> None:
    frozen = make("lstm-texar-bare-gated").freeze(0.3)
    assert isinstance(frozen, FrozenTextVAE)
    vocabulary = Vocabulary(tuple(f"w{at}" for at in range(VOCABULARY - 4)))
    frozen.about["words"] = list(vocabulary.known)
    x = frozen.tokens([["w3", "w0"], ["never", "w18", "w1"]])
    assert x.tolist() == [[1, 7, 4, 2, 0], [1, 3, 22, 5, 2]]
    x[0, 3] = 6  # no END any more
    assert frozen.words(x) == [vocabulary.words(row) for row in x.tolist()]


def test_documents_without_tokens_are_refused() -> None:
    frozen = make("lstm-texar-bare-gated").freeze(0.3)
    x = torch.tensor([[1, 5, 2], [0, 0, 0]])
    with pytest.raises(ValueError, match="document 1 is empty"):
        frozen.encode(x)


def test_words_that_cannot_be_looked_up() -> None:
    frozen = make("lstm-texar-bare-gated").freeze(0.3)
    assert isinstance(frozen, FrozenTextVAE)
    with pytest.raises(ValueError, match=r"came without its words.*freeze the checkpoint"):
        frozen.tokens([["w3"]])
    with pytest.raises(ValueError, match="came without its words"):
        frozen.words(torch.tensor([[1, 5, 2]]))
    frozen.about["words"] = ["w0"]
    with pytest.raises(ValueError, match="one is a string; cut it"):
        frozen.tokens(["w0 w0"])


@pytest.mark.parametrize("name", ["mlp-all", "conv-burgess-before_norm", "resnet-28", "nvae"])
def test_examples_of_another_shape_or_type_are_refused(name: str) -> None:
    """Convolutions would take other sides, and hierarchies bytes, and compute something."""
    frozen, shape = make(name).freeze(0.3), SHAPES[name]
    assert isinstance(frozen, FrozenVAE)
    x, z = torch.rand(2, *shape), torch.randn(2, frozen.about["codes"])
    wider = torch.rand(2, *shape[:-1], shape[-1] + 1)
    for wrong in (x[0], x.flatten(1), wider):
        with pytest.raises(ValueError, match=r"x is of shape \(batch, 1, .*, got .*a batch of one"):
            frozen.encode(wrong)
        with pytest.raises(ValueError, match="x is of shape"):
            frozen.log_prob(wrong, z)
    with pytest.raises(ValueError, match=r"got torch\.uint8; give pixels in \[0, 1\]"):
        frozen.encode((255 * x).byte())
    for codes in (z[0], z[:, 1:]):
        with pytest.raises(ValueError, match="z is of shape"):
            frozen.mean(codes)


def test_documents_of_another_shape_or_type_are_refused() -> None:
    frozen = make("lstm-texar-bare-gated").freeze(0.3)
    x, z = torch.tensor([[1, 5, 2]]), torch.randn(1, frozen.about["codes"])
    assert torch.equal(frozen.log_prob(x.int(), z), frozen.log_prob(x, z))
    for wrong in (x[0], x.float()):
        with pytest.raises(ValueError, match=r"token numbers, .*make it with `tokens`"):
            frozen.encode(wrong)
    padded = torch.tensor([[1, 5, 2, 0], [0, 1, 5, 2]])
    for refused in (frozen.encode, lambda x: frozen.log_prob(x, z.repeat(2, 1))):
        with pytest.raises(ValueError, match=r"document 1 has padding \(0\) in front"):
            refused(padded)


@pytest.mark.parametrize("name", ["conv-burgess-before_norm", "nvae-colours"])
def test_samples_in_another_precision_are_of_the_same_codes(name: str) -> None:
    frozen = make(name).freeze(0.3)
    expected = frozen.sample(2, torch.Generator().manual_seed(0))
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.bfloat16, 0.03)):
        found = frozen.to(dtype).sample(2, torch.Generator().manual_seed(0))
        assert found.dtype == dtype
        torch.testing.assert_close(found.float(), expected, rtol=0, atol=tolerance)


def test_a_hierarchy_from_a_file_is_as_fast_as_one_just_frozen(tmp_path: Path) -> None:
    """Files have channels first; convolutions of hierarchies are faster with channels last."""
    frozen = make("nvae").freeze(0.3)
    (tmp_path / "m.safetensors").write_bytes(frozen.to_bytes())
    again = load(tmp_path / "m.safetensors").state_dict()
    assert all(again[key].stride() == each.stride() for key, each in frozen.state_dict().items())


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    frozen, path = make("mlp-all").freeze(0.3), tmp_path / "m.safetensors"
    with pytest.raises(FileNotFoundError):
        load(path)
    path.write_bytes(frozen.to_bytes()[:500])
    with pytest.raises(ValueError, match=r"m\.safetensors cannot be read: .*give a \.safetensors"):
        load(path)
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match=r"holds no frozen VAE.*give one of"):
        load(path)
    frozen.about["version"] = 3
    path.write_bytes(frozen.to_bytes())
    with pytest.raises(ValueError, match=r"form 3, .* reads up to 2; take"):
        load(path)
