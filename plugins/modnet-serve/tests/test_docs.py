"""What docs/serve.md shows is what happens."""

import doctest
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from server_process import Process

import modnet

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "serve.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="needs the whole project")


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    path = tmp_path_factory.mktemp("docs") / "penguins.modnet"
    modnet.save(modnet.train(ROOT / "examples" / "penguins" / "penguins.toml").network, path)
    with Process(path) as process:
        yield process


def blocks(language):
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def same(expected, found):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected, found, options)


def test_the_commands_print_what_the_page_shows(process):
    sessions = [block.removeprefix("$ ").partition("\n") for block in blocks("console")]
    assert len(sessions) == 3
    while len(process.lines) < 3:
        time.sleep(0.01)
    for command, _, expected in sessions:
        expected = expected.replace(":8000", f":{process.port}")
        if command.startswith("modnet serve"):
            assert same(expected, "".join(process.lines))
        elif shutil.which("curl"):
            arguments = shlex.split(command.replace(":8000", f":{process.port}"))
            done = subprocess.run([*arguments, "-sS"], capture_output=True, text=True, check=True)
            assert same(expected, done.stdout + "\n"), done.stdout


def test_the_example_of_tritonclient_runs(process, capsys):
    pytest.importorskip("tritonclient.http")
    (code,) = [block for block in blocks("python") if "tritonclient" in block]
    exec(compile(code.replace(":8000", f":{process.port}"), str(PAGE), "exec"), {})
    assert capsys.readouterr().out.startswith("[b'Gentoo' b'Adelie'] [")


def test_every_option_of_the_page_is_one_of_the_command():
    from modnet_serve.options import serve

    known = {name for parameter in serve.params for name in parameter.opts}
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`(--[a-z-]+)", text.partition("## systemd")[0]))
    assert named <= known
    assert known - {"models"} - named == {"--port", "--engine"} - named
