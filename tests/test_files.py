"""Files that are whole or not there, and what is said when they cannot be written."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mrtc.errors import OutputError
from mrtc.files import claim, write_atomically


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.bin"
    write_atomically(path, b"one")
    write_atomically(path, memoryview(b"two"))
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_the_old_file_stands_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renaming is the only thing that ever happens to the place itself."""
    path = tmp_path / "b.bin"
    path.write_bytes(b"old")
    seen = []
    rename = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append((self.read_bytes(), target, target.read_bytes()))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    write_atomically(path, b"new")
    assert seen == [(b"new", path, b"old")]
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.ENOSPC, "the disk is full; free some space"), (errno.EROFS, "is read-only")],
)
def test_a_failing_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    path = tmp_path / "b.bin"
    write_atomically(path, b"old")

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=advice) as caught:
        write_atomically(path, b"new")
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """A process that dies within a write leaves its temporary file; the next write clears it."""
    path = tmp_path / "b.bin"
    program = (
        "import os, sys, signal\nfrom pathlib import Path\nimport mrtc.files as files\n"
        "files.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.write_atomically(Path(sys.argv[1]), b'half')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -9
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 1

    write_atomically(path, b"whole")
    assert [p.name for p in tmp_path.iterdir()] == ["b.bin"]


def test_claiming_tells_before_long_work(tmp_path: Path) -> None:
    path = tmp_path / "b.bin"
    claim(path)
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already; choose another --out, or overwrite"):
        claim(path)
    claim(path, force=True)
    assert path.read_bytes() == b"precious"
    with pytest.raises(OutputError, match="this is a folder; name a file"):
        claim(tmp_path, force=True)
    with pytest.raises(OutputError, match="a file, not a folder"):
        claim(path / "below" / "c.bin")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_told_before_long_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="you may not write there"):
        claim(tmp_path / "b.bin")
