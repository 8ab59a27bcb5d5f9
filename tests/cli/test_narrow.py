"""Every screen on narrow terminals, and the same commands in a pipe."""

import os
import re
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.test_train import start

pty = pytest.importorskip("pty", reason="there are no terminals of this kind here")

COMMANDS = [
    [],
    ["new-spec", "pets.csv", "--target", "kind", "-o", "new.toml"],
    ["new-spec", "pets.csv"],
    ["check", "pets.toml"],
    ["check", "faulty.toml"],
    ["train", "pets.toml", "-o", "other.modnet"],
    ["train", "pets.toml", "points.toml", "-o", "models"],
    ["cross-validate", "pets.toml", "--folds", "2"],
    ["find-rate", "pets.toml"],
    ["evaluate", "pets.modnet", "pets.csv"],
    ["compare", "pets.modnet", "twin.modnet", "pets.csv"],
    ["explain", "pets.modnet", "pets.csv", "--repeats", "2"],
    ["explain", "pets.modnet", "pets.csv", "--rows", "1"],
    ["summary", "pets.modnet"],
    ["inspect", "pets.modnet"],
    ["history", "pets.modnet"],
    ["history", "pets.modnet", "twin.modnet"],
    ["verify", "pets.modnet"],
    ["diff", "pets.modnet", "twin.modnet"],
    ["plugins", "--all"],
    ["doctor"],
]

ON_A_TERMINAL = [["train", "pets.toml"], ["evaluate", "pets.modnet", "pets.csv"], ["--help"], ["train", "--help"]]

WHOLE = re.compile(r"\s*(next|go on|perhaps): |\s*modnet |[0-9a-f]{64}$|\s*JSON|\s+[\"{]|modnet_?\S*$|Usage")
"""Lines that may be wider: commands, an id, and in helps what stands as it is."""

FAULTY = """\
[network]
input = [3]
layers = [{ type = "linear", out_features = 8, activation = "tanh" }, { type = "dropout", rate = 1.5 }, "softmx"]
"""


@pytest.fixture
def models(run, folder):
    (folder / "faulty.toml").write_text(FAULTY)
    run("train", "pets.toml")
    run("train", "pets.toml", "-o", "twin.modnet", "--set", "training.seed=7")


def on_a_terminal(columns, *arguments):
    """What a command prints on a terminal of so many columns: its lines without colours."""
    ours, theirs = pty.openpty()
    environment = {"COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    process = start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, environment=environment)
    os.close(theirs)
    pieces = []
    with suppress(OSError):  # the end, on Linux
        while piece := os.read(ours, 1 << 16):
            pieces.append(piece)
    os.close(ours)
    process.wait()
    text = b"".join(pieces).decode()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.usefixtures("models")
def test_no_line_is_wider_than_the_terminal(run, monkeypatch, arguments):
    for columns in (40, 48, 64):
        for module in ("modnet.cli.output", "modnet.training.progress"):
            monkeypatch.setattr(f"{module}.width_of", lambda stream, columns=columns: columns)
        result = run(*arguments, status=None)
        lines = [*result.stdout.splitlines(), *result.stderr.splitlines()]
        assert any(lines)
        assert [line for line in lines if len(line) > columns and not WHOLE.match(line)] == []
        for file in Path().glob("new.toml"):
            file.unlink()


@pytest.mark.parametrize("arguments", ON_A_TERMINAL, ids=" ".join)
@pytest.mark.usefixtures("models")
def test_no_line_is_wider_than_a_real_terminal(arguments):
    lines = on_a_terminal(48, *arguments)
    assert any(lines)
    assert [line for line in lines if len(line) > 48 and not WHOLE.match(line)] == []


@pytest.mark.usefixtures("models")
def test_carets_are_below_what_they_point_to():
    lines = on_a_terminal(48, "check", "faulty.toml")
    shown = [(line, lines[place + 1]) for place, line in enumerate(lines) if re.match(r" +\d+ \| ", line)]
    assert len(shown) == 2
    pointed = [line[carets.index("^") : carets.rindex("^") + 1] for line, carets in shown]
    assert pointed == ["1.5", '"softmx"']


@pytest.mark.usefixtures("models")
def test_a_pipe_is_cut_by_no_width(run, monkeypatch):
    wide = run("summary", "pets.modnet").stdout, run("train", "pets.toml", "-o", "other.modnet").stdout
    monkeypatch.setenv("COLUMNS", "40")
    assert run("summary", "pets.modnet").stdout == wide[0]
    narrow = run("train", "pets.toml", "-o", "other.modnet").stdout
    assert narrow.splitlines()[4] == wide[1].splitlines()[4]
