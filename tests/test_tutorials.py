"""The tutorials are true: the files, commands and scripts of each are written and run, and print what it shows."""

import contextlib
import doctest
import importlib
import io
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_docs import BLOCK, NOT_RUN, ROOT, rounded

FOLDER = ROOT / "docs" / "tutorials"
NEEDS = {
    "images": ["PIL", "matplotlib", "modnet_conv", "modnet_tables"],
    "plugin": ["hatchling", "jsonschema"],
    "service": ["modnet_serve"],
    "table": ["matplotlib"],
    "text": ["modnet_recurrent", "modnet_text"],
}
"""What a tutorial needs beside the core and its commands."""

NOT_COMPARED = "<!-- not compared: "
"""In the line before a block that is run, followed by the reason why its output may be another one."""

FILE = re.compile(r"<!-- (file|shows): (\S+) -->")
"""In the line before a block that the reader writes into a file, or that shows what is in one."""

SHOWN_ID, REAL_ID = re.compile(r"\b([0-9a-f]{4})\.\.\."), re.compile(r"\b[0-9a-f]{64}\b")
"""The id of a model as a page shows it, and as it is."""

INSTALL = [
    "python",
    "-m",
    "pip",
    "install",
    "--quiet",
    "--no-deps",
    "--no-index",
    "--no-build-isolation",
    "--no-compile",
    "--target",
]
"""What is installed goes into a folder of its own, and nothing is fetched."""

PORT = "8000"
PATIENCE = 60
"""Seconds until a server that does not say that it listens has failed."""


class Reader:
    """Does what a page says, block after block, in the current folder."""

    def __init__(self, monkeypatch):
        self.names = {"__name__": "a_reader"}
        self.printed = None
        self.server = None
        self.ids = {}
        self.port = free_port()
        self.installed = Path("installed").resolve()
        self.modules = set(sys.modules)
        self.monkeypatch = monkeypatch
        monkeypatch.syspath_prepend(self.installed)
        monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        monkeypatch.setenv("PYTHONPATH", str(self.installed))
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def block(self, comment, language, code):
        name = FILE.match(comment)
        compared = not comment.startswith(NOT_COMPARED)
        if name and name[1] == "file":
            Path(name[2]).write_text(code, encoding="utf-8")
        elif name:
            same(name[2], code, Path(name[2]).read_text(encoding="utf-8"))
        elif language == "console":
            for entry in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
                command, _, expected = entry.partition("\n")
                printed = self.run(command.replace(PORT, self.port)).replace(self.port, PORT)
                if compared:
                    same(command, expected, self.with_ids_of_the_page(expected, printed))
        elif language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(code.replace(PORT, self.port), "a tutorial", "exec", dont_inherit=True), self.names)
            self.printed = printed.getvalue()
        elif language == "text":
            assert self.printed
            if compared:
                same("the script", code, self.printed)
        else:
            raise AssertionError(f"a block of {language} without the name of a file")

    def with_ids_of_the_page(self, expected, printed):
        """What was printed, with the id of a model as the page shows it: the id itself depends on the processor, but
        where the page shows the same one twice, it has to be the same, and another one where it shows another."""
        for shown, real in zip(SHOWN_ID.findall(expected), REAL_ID.findall(printed), strict=False):
            assert self.ids.setdefault(shown, real) == real
            assert list(self.ids.values()).count(real) == 1
            printed = printed.replace(real, f"{shown}...")
        return printed

    def run(self, command):
        program, *arguments = shlex.split(command)
        if program == "cd":
            os.chdir(arguments[0])
            return ""
        if command.endswith("&"):
            return self.serve(command.removesuffix("&"))
        if program == "kill":
            return self.stop()
        if arguments[:1] == ["uninstall"]:
            shutil.rmtree(self.installed)
            return ""
        if program == "pip":
            command = shlex.join([*INSTALL, str(self.installed), arguments[-1]])
        elif program == "modnet":
            return self.modnet(arguments)
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "check": False}
        return subprocess.run(["bash", "-c", command], **options).stdout

    def modnet(self, arguments):
        from click.testing import CliRunner

        from modnet.cli.app import cli

        self.monkeypatch.setattr("modnet.plugins.registry._default", None)
        importlib.invalidate_caches()
        for name in set(sys.modules) - self.modules:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(self.installed.parent)):
                del sys.modules[name]
        return CliRunner().invoke(cli, arguments, prog_name="modnet").output

    def serve(self, command):
        with open("server.log", "w") as log:
            self.server = subprocess.Popen(["bash", "-c", f"exec {command} --port {self.port}"], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while "curl" not in (printed := Path("server.log").read_text()):
            assert self.server.poll() is None, printed
            assert time.monotonic() < deadline, printed
            time.sleep(0.05)
        return printed

    def stop(self):
        if self.server:
            self.server.terminate()
            assert self.server.wait(PATIENCE) == 0
            self.server = None
        return ""


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return str(held.getsockname()[1])


def same(what, expected, printed):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    equal = doctest.OutputChecker().check_output(rounded(expected), rounded(printed), options)
    equal = equal and ("error" in expected or "error" not in printed)
    assert equal, f"{what}\nexpected:\n{expected}\nprinted:\n{printed}"


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda page: page.stem)
def test_a_tutorial_does_what_it_says(page, tmp_path, monkeypatch):
    for module in ("click", "rich", *NEEDS.get(page.stem, ())):
        pytest.importorskip(module)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "plugins").symlink_to(ROOT / "plugins")
    monkeypatch.chdir(tmp_path)
    reader = Reader(monkeypatch)
    try:
        for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
            comment = found["comment"] or ""
            if not comment.startswith(NOT_RUN):
                reader.block(comment, found["language"], found["code"])
    finally:
        reader.stop()
