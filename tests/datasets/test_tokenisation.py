"""Words by white space, and by a tokenizer: a stand-in of its interface, and the real one."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mrtc.datasets.tokenisation import by_tokenizer, by_white_space
from mrtc.errors import DataError, MrtcError


class Pairs:
    """Cuts into pairs of letters; fills up and cuts off until told not to, as a file may ask."""

    decoder = SimpleNamespace(decode="".join)

    def __init__(self, content: str) -> None:
        if not content.startswith("{"):
            raise Exception("expected value at line 1 column 1")  # noqa: TRY002 - as the package
        self.filling, self.most = ["[PAD]"], 2

    @classmethod
    def from_str(cls, content: str) -> "Pairs":
        return cls(content)

    def no_padding(self) -> None:
        self.filling = []

    def no_truncation(self) -> None:
        self.most = 10**6

    def encode(self, line: str, add_special_tokens: bool = True) -> SimpleNamespace:
        pairs = [line[at : at + 2] for at in range(0, len(line), 2)][: self.most]
        ends = ["[SEP]"] if add_special_tokens else []
        return SimpleNamespace(tokens=[*pairs, *ends, *self.filling])


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", SimpleNamespace(Tokenizer=Pairs))  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path / "tokenizer.json"


def test_white_space_is_all_that_separates() -> None:
    way = by_white_space()
    assert way.split("  It's\tÉTÉ e\u0301te\u00a0x .\r\n") == ["It's", "ÉTÉ", "e\u0301te", "x", "."]
    assert way.join(["a", "b"]) == "a b"


@pytest.mark.usefixtures("package")
def test_a_tokenizer_cuts_without_ends_limits_and_filling(file: Path) -> None:
    way = by_tokenizer(file)
    assert way.split("abcdefg\r\n") == ["ab", "cd", "ef", "g"]
    assert way.join(way.split("abcdefg")) == "abcdefg"
    assert way.name == by_tokenizer(file).name
    assert re.fullmatch("tokenizer crc32:[0-9a-f]{8}", way.name)
    file.write_text('{"a": 1}')
    assert by_tokenizer(file).name != way.name


@pytest.mark.usefixtures("package")
def test_a_tokenizer_without_decoder_joins_by_blanks(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pairs, "decoder", None)
    assert by_tokenizer(file).join(["ab", "c"]) == "ab c"


@pytest.mark.usefixtures("package")
def test_damaged_tokenizers_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    for content in (b"hello", b"\xff{"):
        broken.write_bytes(content)
        with pytest.raises(DataError, match=r"broken.json is damaged, or none \(.*give the JSON"):
            by_tokenizer(broken)
    with pytest.raises(DataError, match=r"cannot read the tokenizer .*gone: No such file.*; give"):
        by_tokenizer(tmp_path / "gone")


def test_without_the_package_a_message_says_what_to_install(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # type: ignore[arg-type]
    with pytest.raises(MrtcError, match=r"needs the package tokenizers.*mrtc\[text\]"):
        by_tokenizer(file)


def test_a_real_tokenizer_is_read(file: Path) -> None:
    """A vocabulary of whole words, saved with limits, filling and ends, none of which is used."""
    tokenizers = pytest.importorskip("tokenizers")
    words = {"a": 0, "cat": 1, "[UNK]": 2, "[SEP]": 3}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A [SEP]", special_tokens=[("[SEP]", 3)]
    )
    made.enable_truncation(2)
    made.enable_padding(length=8)
    file.write_text(made.to_str())
    assert json.loads(file.read_text())["truncation"]
    way = by_tokenizer(file)
    assert way.split("a cat a dog\n") == ["a", "cat", "a", "[UNK]"]
    assert way.join(["a", "cat"]) == "a cat"
