"""What reaches the screen: nothing that moves a terminal, and no error of the screen itself."""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.cli.output import PIECE, echo, echo_json
from tests.cli.test_train import start

HOSTILE = "a\x1b[2Jb\x07\x9b\u202ec"


def test_text_goes_out_in_one_place():
    folder = Path(modnet.__file__).parent / "cli"
    printing = re.compile(r"click\.(echo|secho)\(|(?<!\w)print\(|traceback\.print")
    found = [file.name for file in folder.glob("*.py") if printing.search(file.read_text(encoding="utf-8"))]
    assert sorted(found) == ["__init__.py", "output.py"]  # the first says that click is not installed


def test_controls_are_shown_and_lines_and_tabs_stay(capsys):
    echo(f"{HOSTILE}\tü\nnext")
    assert capsys.readouterr().out == "a\\x1b[2Jb\\x07\\x9b\\u202ec\tü\nnext\n"


def test_json_escapes_what_json_need_not(capsys):
    echo_json({HOSTILE: ["ü", "\U000e0001"]})
    text = capsys.readouterr().out
    assert text.replace("\n", "").isprintable()
    assert "ü" in text
    assert json.loads(text) == {HOSTILE: ["ü", "\U000e0001"]}


def test_json_is_what_json_says(capsys):
    values = {
        "a": {}, "b": [], "c": iter([]), "d": iter([1, "x"]), "e": (1.5, None, True), "f": np.arange(2), "g": [[], {}],
        "h": [float("nan"), np.float32(0.5)], 'i"\\\n': "\t\x00\x7f",
    }  # fmt: skip
    echo_json(values)
    plain = {**values, "c": [], "d": [1, "x"], "f": [0, 1], "h": [None, 0.5]}
    assert capsys.readouterr().out == json.dumps(plain, indent=2) + "\n"


@pytest.mark.parametrize("character", ["\x01", "\U0001f600", "\U000e0001", "a"])
def test_json_of_a_long_text_is_printed_in_pieces(character, monkeypatch):
    printed = []
    monkeypatch.setattr("modnet.cli.output.echo", lambda text, nl=True: printed.append(text))
    echo_json([character * 300_000])
    assert json.loads("".join(printed)) == [character * 300_000]
    assert max(map(len, printed)) <= 14 * PIECE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(
    "command", ["--help", "--version", "schema", "inspect pets.modnet", "predict pets.modnet pets.csv"]
)
def test_a_screen_that_cannot_be_written_to_is_told(run, model, command):
    with open("/dev/full", "w") as full:
        process = start(*command.split(), stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "error: standard output: no space left on device\n")


@pytest.mark.parametrize("there", [True, False])
def test_the_name_of_a_file_moves_no_terminal(run, model, there):
    from click.testing import CliRunner

    from modnet.cli.app import cli

    commands = ["train", "check", "summary", "inspect", "verify", "diff MODEL", "predict MODEL", "evaluate MODEL"]
    commands += ["predict", "new-spec --target kind", "check-plugin", "edit --cast float16 -o out.modnet"]
    commands += ["train --set", "--", "check --plugin"]
    for name in (f"{HOSTILE}{suffix}" for suffix in (".toml", ".modnet", ".csv", "")):
        if there:
            Path(name).write_text("network = 3\n")
        for command in commands:
            words = [model if word == "MODEL" else word for word in command.split()]
            result = CliRunner().invoke(cli, [*words, name, *["pets.csv"] * (command == "predict")], prog_name="modnet")
            assert result.exit_code in (0, 1, 2)
            assert (result.stdout + result.stderr).replace("\n", "").isprintable(), command
            assert "unexpected error" not in result.stderr, command


@pytest.mark.parametrize("option", [f"--{HOSTILE}", f"check --{HOSTILE}"])
def test_options_move_no_terminal(run, option):
    assert run(*option.split(), status=2).stderr.replace("\n", "").isprintable()


def test_a_plugin_in_a_traceback_moves_no_terminal(run):
    Path("bad.py").write_text(f"raise RuntimeError({HOSTILE!r})\n")
    result = run("--debug", "check", "pets.toml", "--plugin", "bad.py", status=2)
    assert "Traceback" in result.stderr
    assert result.stderr.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("command", "closed"),
    [("train pets.toml", "012"), ("train pets.toml", "1"), ("predict old.modnet pets.csv", "1"),
     ("predict old.modnet -", "0"), ("inspect old.modnet", "12"), ("check pets.toml --json", "1"),
     ("verify old.modnet", "2"), ("--help", "1")],
)  # fmt: skip
def test_a_process_without_standard_streams(model, command, closed):
    Path(model).rename("old.modnet")
    before = Path("old.modnet").read_bytes()

    def close():
        for number in map(int, closed):
            os.close(number)

    process = start(*command.split(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    preexec_fn=close)  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == (2 if command.endswith("-") else 0), err
    assert "unexpected error" not in err
    assert "Traceback" not in err
    assert Path("old.modnet").read_bytes() == before
    assert command != "train pets.toml" or modnet.load("pets.modnet").card.schema


@pytest.mark.parametrize("lines", [0, 1])
@pytest.mark.parametrize("command", ["train pets.toml", "train pets.toml --json"])
def test_a_training_whose_reader_leaves_writes_its_model(run, command, lines):
    process = start(*command.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(lines):
        process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert err == ""
    assert modnet.load("pets.modnet").card.schema


@pytest.mark.parametrize("command", ["predict pets.modnet pets.csv", "inspect pets.modnet", "schema", "--help"])
def test_a_reader_who_leaves_is_no_failure(model, command):
    process = start(*command.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), err) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_characters_fails_nothing(run, encoding):
    commands = ["train pets.toml", "predict pets.modnet pets.csv", "evaluate pets.modnet pets.csv"]
    commands += ["inspect --json pets.modnet", "new-spec pets.csv --target kind", "check käse.toml"]
    text = Path("pets.csv").read_text().replace("cat", "kät€")
    Path("pets.csv").write_text(text, encoding="utf-8")
    run("train", "pets.toml", "--set", 'training.metrics=["confusion_matrix"]')
    environment = {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(modnet.__file__).parents[1])}
    for command in commands:
        options = {"encoding": encoding, "errors": "replace", "environment": environment}
        process = start(*command.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        out, err = process.communicate(timeout=60)
        assert process.returncode == (2 if "käse" in command else 0), err
        assert "UnicodeEncodeError" not in err
        if "--json" in command:
            assert "kät€" in json.loads(out)["schema"]["targets"]["output"][0]["categories"]
