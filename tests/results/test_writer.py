"""One writer, one evaluation, and a whole file on disk whatever happens."""

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import mrtc.results.writer
from mrtc.errors import OutputError, ResultsError
from mrtc.results import open_writer, read

from .conftest import BETA, PARAMETERS, make_header, make_values


def test_pending_shrinks_and_an_interrupted_evaluation_goes_on(path: Path) -> None:
    with suppress(KeyboardInterrupt), open_writer(path, make_header()) as writer:
        assert writer.pending == [0, 1, 2]
        writer.write(1, make_values(1), PARAMETERS)
        assert writer.pending == [0, 2]
        raise KeyboardInterrupt

    with open_writer(path, make_header()) as writer:
        assert writer.pending == [0, 2]
        writer.write(0, make_values(0), PARAMETERS)
        writer.write(2, make_values(2), PARAMETERS)
        assert writer.pending == []

    rates = [make_values(index)["rate"] for index in range(3)]
    assert read(path).metrics["rate"].tolist() == rates


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_the_file_of_the_beta_before(
    filled: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The old file is untouched, no other file is left, and the writer can try again."""
    before = filled.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with open_writer(filled, make_header()) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(call, fail)
            with pytest.raises(OutputError, match="the disk is full; free some space"):
                writer.write(1, make_values(1), PARAMETERS)
        assert filled.read_bytes() == before
        assert sorted(file.name for file in filled.parent.iterdir()) == [
            "results.h5",
            "results.h5.lock",
        ]
        assert writer.pending == [1]
        writer.write(1, make_values(1), PARAMETERS)

    assert read(filled).evaluated.all()


def test_a_reader_sees_whole_betas_while_another_is_written(filled: Path) -> None:
    with open_writer(filled, make_header()) as writer:
        assert read(filled).evaluated.sum() == 2
        writer.write(1, make_values(1), PARAMETERS)
        assert read(filled).evaluated.sum() == 3


HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_refused_at_once(filled: Path) -> None:
    """While another process holds the lock; and let in as soon as that one was killed."""
    before = filled.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, f"{filled}.lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with (
            pytest.raises(ResultsError, match="is being written by another process"),
            open_writer(filled, make_header(), force=True),
        ):
            pass
        holder.kill()

    assert filled.read_bytes() == before
    with open_writer(filled, make_header()) as writer:
        assert writer.pending == [1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fingerprint": "c3d4"}, "fingerprint of the run: a1b2 in the file, c3d4 now"),
        ({"beta": BETA[:2]}, r"betas: 0\.1 to 10 \(3\) in the file, 0\.1 to 1 \(2\) now"),
        ({"beta": np.array([0.1, 2, 10])}, r"beta number 1: 1\.0 in the file, 2\.0 now"),
        ({"parameters": {"estimator": "sampling", "examples": 500}}, '"quadrature" .* "sampling"'),
        ({"parameters": {"estimator": "quadrature"}}, "examples: 500 in the file, None now"),
        ({"num_codes": 3}, "codes: 2 in the file, 3 now"),
        ({"factors": ("shape", "scale", "x")}, "factors: .*größe.* now"),
        ({"seed": 8}, "seed: 7 in the file, 8 now"),
        ({"source": "dSprites, official"}, "data: dSprites, rendered in the file"),
        ({"index": np.array([3, 5, 9, 13])}, "kept example number 2: 8 in the file, 9 now"),
    ],
)
def test_another_evaluation_is_not_mixed_in(
    filled: Path, changes: dict[str, object], message: str
) -> None:
    """The message names what differs, with both values and a way out; the file stays."""
    before = filled.read_bytes()
    with (
        pytest.raises(ResultsError, match=f"{message}.*Choose another --out, or .*--force"),
        open_writer(filled, make_header(**changes)),
    ):
        pass

    assert filled.read_bytes() == before
    with open_writer(filled, make_header(**changes), force=True) as writer:
        assert len(writer.pending) == len(writer.header.beta)


def test_the_same_grid_from_another_numpy_is_the_same(filled: Path) -> None:
    """Powers differ in their last digit between versions and machines."""
    with open_writer(filled, make_header(beta=BETA * (1 + 1e-15))) as writer:
        assert writer.pending == [1]


def test_another_release_is_not_mixed_in(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric may change with a release, and one curve holds one metric."""
    monkeypatch.setattr(mrtc.results.writer, "__version__", "99.0")
    with (
        pytest.raises(ResultsError, match=r"version of mrtc: .* in the file, 99\.0 now"),
        open_writer(filled, make_header()),
    ):
        pass


def test_other_parameters_of_one_variable_are_refused(filled: Path) -> None:
    before = filled.read_bytes()
    with open_writer(filled, make_header()) as writer:
        with pytest.raises(
            ResultsError, match=r'mig_chen .*"quadrature".* and now with .*"sampling"'
        ):
            writer.write(1, {"mig_chen": 0.5}, {"mig_chen": {"estimator": "sampling"}})
        assert writer.pending == [1]
    assert filled.read_bytes() == before


def test_what_does_not_fit_the_schema_is_refused(path: Path) -> None:
    with open_writer(path, make_header()) as writer:
        with pytest.raises(ValueError, match="'mig' is not a variable of the schema: rate, "):
            writer.write(0, {"mig": 0.5})
        with pytest.raises(ValueError, match=r"information has the shape \(3, 2\).*\(2, 3\)"):
            writer.write(0, {"information": np.zeros((3, 2))})
        assert writer.pending == [0, 1, 2]


def test_variables_of_dimensions_that_the_file_lacks_are_refused(path: Path) -> None:
    header = make_header(factors=(), index=np.empty(0, np.int64), classes=None)
    with (
        open_writer(path, header) as writer,
        pytest.raises(ValueError, match=r"mig_chen_factor .* \(factor\) have the lengths \(0,\)"),
    ):
        writer.write(0, {"mig_chen_factor": np.empty(0)})


def test_classes_go_with_factors_and_examples() -> None:
    with pytest.raises(ValueError, match="3 factors and 4 kept examples, but classes is None"):
        make_header(classes=None)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"cannot write .*results\.h5.*choose another place"),
        open_writer(tmp_path / "file" / "results.h5", make_header()),
    ):
        pass
