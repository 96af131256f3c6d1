"""Official files, from a server on this machine: kept if they are right, else refused."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mrtc.datasets.download import RemoteFile, cache_folder, fetch, find
from mrtc.errors import DataError, OutputError

SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
MD5 = "900150983cd24fb0d6963f7d28e17f72"
"""Of "abc", from the examples of FIPS 180 and the test suite of RFC 1321."""

ABC = f"sha256:{SHA256}"

PAGE = b"\n<!DOCTYPE html><html>This page has moved.</html>"
LARGE = bytes(range(256)) * 1000


BODIES = {"abc": b"abc", "page": PAGE, "large": LARGE, "cut": LARGE[:-1], "unsized": b"abc"}
"""By name; anything else is 404. The server breaks off one, and does not tell the size of one."""


class Server(ThreadingHTTPServer):
    """Answers from a table, and counts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.strip("/")
        self.server.asked.append(name)
        if name not in BODIES:
            self.send_error(404)
            return
        self.send_response(200)
        if name != "unsized":
            size = len(LARGE) if name == "cut" else len(BODIES[name])
            self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(BODIES[name])

    def log_message(self, *_: object) -> None:
        """Keeps standard error for what is tested."""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def closed() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/abc"


def test_a_good_file_is_kept_and_not_fetched_again(server: Server, tmp_path: Path):
    file = RemoteFile("letters.txt", (server.url("abc"),), ABC)
    for _ in range(2):
        path = fetch(file, folder=tmp_path / "new", quiet=True)
        assert path == tmp_path / "new" / "letters.txt"
        assert path.read_bytes() == b"abc"
    assert server.asked == ["abc"]
    assert list(path.parent.iterdir()) == [path]


def test_others_may_read_a_shared_cache(server: Server, tmp_path: Path):
    """A downloaded file has the permissions of any other, not those of a secret temporary."""
    path = fetch(RemoteFile("letters.txt", (server.url("abc"),), ABC), folder=tmp_path, quiet=True)
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_damaged_file_of_the_cache_is_fetched_again(server: Server, tmp_path: Path):
    (tmp_path / "letters.txt").write_bytes(b"abd")
    path = fetch(RemoteFile("letters.txt", (server.url("abc"),), ABC), folder=tmp_path, quiet=True)
    assert path.read_bytes() == b"abc"


@pytest.mark.parametrize("dead", ["moved", "page", "cut", "large"])
def test_the_next_address_is_tried(server: Server, tmp_path: Path, dead: str):
    file = RemoteFile("letters.txt", (server.url(dead), server.url("abc")), ABC)
    assert fetch(file, folder=tmp_path, quiet=True).read_bytes() == b"abc"
    assert server.asked == [dead, "abc"]


def test_addresses_after_a_good_one_are_not_tried(server: Server, tmp_path: Path):
    file = RemoteFile("letters.txt", (server.url("abc"), server.url("page")), ABC)
    fetch(file, folder=tmp_path, quiet=True)
    assert server.asked == ["abc"]


def test_if_all_fail_each_reason_is_told(server: Server, closed: str, tmp_path: Path):
    urls = (*map(server.url, ("moved", "page", "large", "cut")), closed)
    with pytest.raises(DataError) as caught:
        fetch(RemoteFile("letters.txt", urls, ABC), folder=tmp_path, quiet=True)
    page, large = (hashlib.sha256(body).hexdigest() for body in (PAGE, LARGE))
    assert str(caught.value).splitlines() == [
        "letters.txt could not be downloaded:",
        f"  {urls[0]}: 404 Not Found",
        f"  {urls[1]}: a web page of {len(PAGE)} bytes, sha256 {page}",
        f"  {urls[2]}: another file of 256000 bytes, sha256 {large}",
        f"  {urls[3]}: IncompleteRead(255999 bytes read, 1 more expected)",
        f"  {urls[4]}: Connection refused",
        f"Get a file of that name with sha256 {SHA256} elsewhere, and give its folder with --data.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_told(server: Server, tmp_path: Path):
    (tmp_path / "file").touch()
    file = RemoteFile("letters.txt", (server.url("abc"),), ABC)
    with pytest.raises(OutputError, match=r"cannot write .*letters.txt: .*MRTC_CACHE names"):
        fetch(file, folder=tmp_path / "file", quiet=True)
    assert server.asked == []


def test_the_environment_names_the_cache(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path / "mine"))
    path = fetch(RemoteFile("letters.txt", (server.url("abc"),), ABC), quiet=True)
    assert path == tmp_path / "mine" / "letters.txt"


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_the_cache_is_that_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("MRTC_CACHE", raising=False)
    if value is not None:
        monkeypatch.setenv("MRTC_CACHE", value)
    assert cache_folder().is_relative_to(tmp_path)
    assert cache_folder().name == "mrtc"


def test_progress_is_shown_unless_quiet(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = RemoteFile("a", (server.url("large"),), f"sha256:{hashlib.sha256(LARGE).hexdigest()}")
    fetch(file, folder=tmp_path)
    assert capsys.readouterr().err.startswith("downloading a: 256000/256000 bytes")
    (tmp_path / "a").unlink()
    fetch(file, folder=tmp_path, quiet=True)
    assert capsys.readouterr().err == ""


def test_a_server_need_not_tell_the_size(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = RemoteFile("letters.txt", (server.url("unsized"),), ABC)
    assert fetch(file, folder=tmp_path).read_bytes() == b"abc"
    assert capsys.readouterr().err == ""


NAMES = ("official.txt", "short.txt")


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ({"official.txt", "official.txt.gz", "short.txt"}, "official.txt"),
        ({"official.txt.gz", "short.txt"}, "official.txt.gz"),
        ({"short.txt.gz", "other.txt"}, "short.txt.gz"),
    ],
)
def test_a_file_is_found_plain_or_zipped(present: set[str], expected: str, tmp_path: Path):
    for name in present:
        (tmp_path / name).touch()
    assert find(NAMES, tmp_path, advice="") == tmp_path / expected
    assert find(NAMES, tmp_path / expected, advice="") == tmp_path / expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", r"holds no file official.txt or official.txt.gz or short.txt or \S+; get it there"),
        ("OFFICIAL.txt", r"OFFICIAL.txt is not called official.txt or .*; get it there"),
        ("nowhere", r"cannot read \S+nowhere: No such file or directory; get it there"),
    ],
)
def test_a_file_that_is_not_there_is_told(path: str, message: str, tmp_path: Path):
    for name in ("OFFICIAL.txt", "official.txt.zip", "my official.txt"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=message):
        find(NAMES, tmp_path / path, advice="get it there")


def test_the_advice_names_file_hash_and_every_address():
    file = RemoteFile("letters.txt", ("https://one.test/a", "https://two.test/b"), ABC)
    assert file.advice == (
        f"get letters.txt (sha256 {SHA256}) from https://one.test/a or https://two.test/b, and "
        "give its folder"
    )


def test_some_files_were_published_with_an_md5(server: Server, tmp_path: Path):
    urls = (server.url("page"), server.url("abc"))
    path = fetch(RemoteFile("letters.txt", urls, f"md5:{MD5}"), folder=tmp_path, quiet=True)
    assert path.read_bytes() == b"abc"

    other = RemoteFile("other.txt", urls, f"md5:{'0' * 32}")
    with pytest.raises(DataError) as caught:
        fetch(other, folder=tmp_path, quiet=True)
    assert f"another file of 3 bytes, md5 {MD5}" in str(caught.value)
    assert f"Get a file of that name with md5 {'0' * 32} elsewhere" in str(caught.value)
    assert other.advice.startswith(f"get other.txt (md5 {'0' * 32}) from {urls[0]} or ")


@pytest.mark.parametrize("digest", [ABC, f"md5:{MD5}"])
def test_a_file_is_known_by_its_digest(digest: str, tmp_path: Path):
    file = RemoteFile("letters.txt", (), digest)
    (tmp_path / "renamed").write_bytes(b"abc")
    (tmp_path / "letters.txt").write_bytes(b"abd")
    assert file.is_at(tmp_path / "renamed")
    assert not file.is_at(tmp_path / "letters.txt")
    assert not file.is_at(tmp_path / "nowhere")
    assert not file.is_at(tmp_path)


@pytest.mark.parametrize(
    "digest", [SHA256, f"md5:{SHA256}", f"sha256:{MD5}", ABC.upper(), "", "crc32:0"]
)
def test_a_digest_says_its_kind(digest: str):
    with pytest.raises(ValueError, match=r"digest of letters.txt should be sha256: and 64, or md5"):
        RemoteFile("letters.txt", (), digest)


def test_archives_are_not_looked_for_gzipped(tmp_path: Path):
    (tmp_path / "a.zip.gz").touch()
    with pytest.raises(DataError, match=r"holds no file a.zip; get it there"):
        find(("a.zip",), tmp_path, advice="get it there", zipped=False)
    (tmp_path / "a.zip").touch()
    assert find(("a.zip",), tmp_path, advice="", zipped=False) == tmp_path / "a.zip"
