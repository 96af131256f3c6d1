"""Folders and zips give the same images; zips that are damaged or not to be trusted are refused."""

import os
import zipfile
from pathlib import Path

import pytest

from mrtc.datasets import image_sources
from mrtc.datasets.decoding import BrokenImageError
from mrtc.datasets.image_sources import open_images
from mrtc.errors import DataError
from tests.datasets.image_files import save, save_zip

FILES = {
    "b.PNG": b"b",
    "a/z.jpeg": b"z",
    "a.tif": b"t",
    "labels.csv": b"table",
    ".hidden.png": b"h",
    ".git/x.png": b"h",
    "__MACOSX/._b.png": b"h",
}


@pytest.mark.parametrize("is_zip", [False, True])
def test_images_are_found_by_their_endings_in_order(is_zip: bool, tmp_path: Path):
    if is_zip:
        source = open_images(save_zip(tmp_path / "a.zip", FILES | {"a/": b"", "empty/": b""}))
    else:
        source = open_images(save(tmp_path / "a", FILES))
    assert source.names == ("a.tif", "a/z.jpeg", "b.PNG")
    assert [source.read(name) for name in source.names] == [b"t", b"z", b"b"]
    assert "labels.csv" in source.others
    assert not any(name.endswith("/") for name in source.others)


def test_nothing_is_extracted(tmp_path: Path):
    source = open_images(save_zip(tmp_path / "a.zip", FILES))
    source.read("b.PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_fingerprint_changes_with_what_it_is_of(tmp_path: Path):
    folder = save(tmp_path / "a", FILES)
    seen = {open_images(folder).fingerprint}
    assert open_images(folder).fingerprint in seen
    (folder / "b.PNG").write_bytes(b"bb")
    seen.add(open_images(folder).fingerprint)
    os.utime(folder / "b.PNG", ns=(1, 1))
    seen.add(open_images(folder).fingerprint)
    (folder / "b.PNG").rename(folder / "c.PNG")
    seen.add(open_images(folder).fingerprint)
    save(folder, {"labels.csv": b"other"})
    seen.add(open_images(folder).fingerprint)
    assert len(seen) == 5
    archive = save_zip(tmp_path / "a.zip", FILES)
    before = open_images(archive).fingerprint
    os.utime(archive, ns=(1, 1))
    assert open_images(archive).fingerprint != before


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "b/../../a.png", "..\\a.png", "C:\\a.png"])
def test_entries_that_leave_the_archive_are_refused(name: str, tmp_path: Path):
    path = save_zip(tmp_path / "a.zip", {"b.png": b"b", name: b"a"})
    with pytest.raises(DataError, match=r"its entry '.*a.png' leaves the archive"):
        open_images(path)


def test_an_entry_of_absurd_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert image_sources.LARGEST_ENTRY == 256 * 1024 * 1024
    monkeypatch.setattr(image_sources, "LARGEST_ENTRY", 1000)
    open_images(save_zip(tmp_path / "a.zip", {"a.png": bytes(1000)}))
    with pytest.raises(DataError, match=r"'a.png' would be 1001 bytes unzipped, above 1000"):
        open_images(save_zip(tmp_path / "a.zip", {"a.png": bytes(1001)}))


def test_an_encrypted_entry_is_named(tmp_path: Path):
    path = save_zip(tmp_path / "a.zip", {"a.png": b"a", "b.png": b"b"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # the flag, in the directory at the end
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"'b.png' is encrypted"):
        open_images(path)


def test_a_zip_cut_short_is_named(tmp_path: Path):
    path = save_zip(tmp_path / "a.zip", {"a.png": bytes(range(256)) * 9})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"a.zip is no zip, or is cut short or damaged"):
        open_images(path)


def test_a_damaged_entry_is_a_broken_image(tmp_path: Path):
    path = save_zip(tmp_path / "a.zip", {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.png", b"some bytes of an image")
    path.write_bytes(path.read_bytes().replace(b"some bytes", b"sOme bytes", 1))
    with pytest.raises(BrokenImageError, match=r"image a.png cannot be read .in the zip: Bad CRC"):
        open_images(path).read("a.png")


def test_a_link_that_leads_nowhere_is_a_broken_image(tmp_path: Path):
    (tmp_path / "a.png").symlink_to(tmp_path / "missing")
    with pytest.raises(BrokenImageError, match=r"a.png cannot be read \(No such file"):
        open_images(tmp_path).read("a.png")


def test_a_pipe_is_no_image(tmp_path: Path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"holds no images, nothing"):
        open_images(tmp_path)


def test_without_images_what_is_there_is_said(tmp_path: Path):
    with pytest.raises(DataError, match=r"only a.txt, b.mat; images end in .png"):
        open_images(save(tmp_path / "a", {"a.txt": b"", "b.mat": b""}))
    with pytest.raises(DataError, match=r"holds no images, nothing"):
        open_images(save_zip(tmp_path / "a.zip", {}))
    with pytest.raises(DataError, match=r"cannot read .*missing: No such file"):
        open_images(tmp_path / "missing")
    with pytest.raises(DataError, match=r"is no zip"):
        open_images(save(tmp_path, {"one.png": b"one"}) / "one.png")
