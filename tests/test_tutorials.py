"""The tutorials are true: their files are written, their commands and scripts run, and what is printed is what they show."""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import BLOCK, NOT_RUN, ROOT, rounded

FOLDER = ROOT / "docs" / "tutorials"
NEEDS = {}
"""What a tutorial needs beside the core: the modules of plugins and of their extras."""

FILE = re.compile(r"<!-- file: (\S+) -->")


class Reader:
    """Does what a page says, block after block, in the current folder."""

    def __init__(self):
        self.names = {"__name__": "a_reader"}
        self.printed = None

    def block(self, comment, language, code):
        name = FILE.match(comment)
        if name:
            Path(name[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(name[1]).write_text(code, encoding="utf-8")
        elif language == "console":
            for entry in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
                command, _, expected = entry.partition("\n")
                same(command, expected, self.run(command))
        elif language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(code, "a tutorial", "exec", dont_inherit=True), self.names)
            self.printed = printed.getvalue()
        elif language == "text":
            same("the script", code, self.printed)
        else:
            raise AssertionError(f"a block of {language} without the name of a file")

    def run(self, command):
        program, *arguments = shlex.split(command)
        if program == "cd":
            os.chdir(arguments[0])
            return ""
        if program == "modnet" and not set("|>&") & set(shlex.split(command, posix=False)):
            from click.testing import CliRunner

            from modnet.cli.app import cli

            return CliRunner().invoke(cli, arguments, prog_name=program).output
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "check": False}
        return subprocess.run(["bash", "-c", command], env=os.environ | {"PATH": path}, **options).stdout


def same(what, expected, printed):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    equal = doctest.OutputChecker().check_output(rounded(expected), rounded(printed), options)
    assert equal and ("error" in expected or "error" not in printed), (
        f"{what}\nexpected:\n{expected}\nprinted:\n{printed}"
    )


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda page: page.stem)
def test_a_tutorial_does_what_it_says(page, tmp_path, monkeypatch):
    for module in ("click", "rich", *NEEDS.get(page.stem, ())):
        pytest.importorskip(module)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "plugins").symlink_to(ROOT / "plugins")
    monkeypatch.chdir(tmp_path)
    reader = Reader()
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        comment = found["comment"] or ""
        if not comment.startswith(NOT_RUN):
            reader.block(comment, found["language"], found["code"])
