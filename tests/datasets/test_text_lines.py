"""Lines of text files, plain and gzipped, and every fault such a file can have."""

import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.datasets import text_lines
from mrtc.datasets.text_lines import read_lines
from mrtc.errors import DataError

LINES = st.lists(st.text(st.characters(exclude_characters="\0\n\ufeff", exclude_categories=["Cs"])))


@settings(max_examples=20, deadline=None)
@given(LINES, st.booleans(), st.booleans())
def test_lines_end_at_line_feeds_only(tmp_path_factory, lines, zipped, is_ended) -> None:
    """Not at the other marks that Python's ``splitlines`` takes for ends."""
    content = "\n".join(lines) + "\n" * (is_ended and bool(lines))
    path = tmp_path_factory.mktemp("lines") / "text"
    raw = content.encode()
    path.write_bytes(gzip.compress(raw) if zipped else raw)
    read = list(read_lines(path))
    assert "".join(read) == content
    assert all(line.endswith("\n") for line in read[:-1])
    assert all("\n" not in line[:-1] for line in read)


def test_the_name_does_not_say_what_is_zipped(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"a\nb\n") + gzip.compress(b"c"))
    (tmp_path / "b.txt.gz").write_bytes(b"\xef\xbb\xbfa\nb")
    assert list(read_lines(tmp_path / "a.txt")) == ["a\n", "b\n", "c"]
    assert list(read_lines(tmp_path / "b.txt.gz")) == ["a\n", "b"]


def archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("ptb.train.txt"), io.BytesIO())
    return made.getvalue()


ZIPPED = gzip.compress(bytes(range(1, 100)) * 9)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb caf\xe9\nc\n", r"line 2 of .*text is not UTF-8: it has b'\\xe9' at byte 6; give"),
        (b"a\n\xff\xfe\x01", r"line 2 of .*text is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "line 1 of .*text is not UTF-8"),
        (
            b"\x7fELF\2\1\1\0\0",
            "line 1 of .*text has a NUL byte at column 8, so the file is binary",
        ),
        ("a b\n".encode("utf-16-le"), "line 1 of .*has a NUL byte at column 2, .* or in UTF-16; "),
        (archive(), "line 1 of .*text has a NUL byte at column 14, so .* an archive,"),
        (ZIPPED[:-9], "text is cut off or damaged: Compressed file ended .*; get it anew"),
        (ZIPPED[:-6] + bytes(6), "cannot read .*text: CRC check failed"),
        (b"\x1f\x8b\x08\0" + bytes(6) + b"\xff" * 9, "text is cut off or damaged: Error -3"),
    ],
)
def test_faults_are_told_where_they_are(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_lines(tmp_path / "text"))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*gone: No such file or directory; give a"):
        next(read_lines(tmp_path / "gone"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_giant_line_is_refused_before_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack
) -> None:
    monkeypatch.setattr(text_lines, "MOST_BYTES", 1000)
    path = tmp_path / "text"
    path.write_bytes(pack(b"x" * 999 + b"\n" + b"giant " * 10**6))
    tracemalloc.start()
    lines = read_lines(path)
    assert len(next(lines)) == 1000
    with pytest.raises(DataError, match=r"line 2 of .*longer than 1000 bytes.*b'giant .*; cut the"):
        next(lines)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6  # the line has six times as much
