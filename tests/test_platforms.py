"""What differs on Windows and macOS, as far as it can be seen here; docs/platforms.md says what is tested where."""

import ast
import io
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHIPPED = sorted([*ROOT.glob("modnet/**/*.py"), *ROOT.glob("plugins/*/modnet_*/**/*.py"), *ROOT.glob("docs/*.py")])
MODE = re.compile(r"[rwaxt+]+")


def text_without_encoding(source: str) -> list[int]:
    """The lines where a text file is opened in the encoding of the system's language, which on Windows is not UTF-8."""
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        modes = [node.value for node in [*call.args, *given.values()] if isinstance(node, ast.Constant)]
        of_text = any(isinstance(mode, str) and MODE.fullmatch(mode) for mode in modes) or "newline" in given
        positional = name == "read_text" and call.args
        if (name in ("read_text", "write_text") or (name == "open" and of_text)) and "encoding" not in given:
            found += [] if positional else [call.lineno]
    return found


def test_the_rule_finds_text_without_an_encoding():
    source = """
    path.read_text()
    path.write_text(text, newline="")
    open("a.txt", "w")
    path.open(newline="")
    path.open("rb")
    path.read_text("utf-8")
    path.open("a", encoding="utf-8")
    path.read_bytes()
    """
    assert text_without_encoding(re.sub(r"(?m)^    ", "", source)) == [2, 3, 4, 5]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_files_are_opened_as_utf_8(path):
    assert text_without_encoding(path.read_text(encoding="utf-8")) == []


class TestStandardOutput:
    """What is written to a file or a pipe keeps its letters on Windows, where the encoding is that of the language."""

    @pytest.fixture
    def printed(self, monkeypatch):
        pytest.importorskip("click", reason="the command line needs the extra cli")
        pytest.importorskip("rich", reason="the command line needs the extra cli")
        from modnet.cli.output import open_missing_streams

        monkeypatch.delenv("PYTHONIOENCODING", raising=False)

        def printed():
            for name in ("stdout", "stderr"):
                monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
            open_missing_streams()
            sys.stdout.write("\u4e09")
            sys.stdout.flush()
            return sys.stdout.buffer.getvalue()

        return printed

    def test_on_windows(self, printed, monkeypatch):
        monkeypatch.setattr(sys, "platform", "win32")
        assert printed() == "\u4e09".encode()

    def test_the_encoding_that_was_asked_for_stays(self, printed, monkeypatch):
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
        assert printed() == rb"\u4e09"

    def test_elsewhere(self, printed):
        assert printed() == rb"\u4e09"
