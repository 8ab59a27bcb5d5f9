"""The command itself: help, version, what is imported, what is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import modnet
from modnet.cli.app import COMMANDS
from tests.cli.test_train import start


def test_version(run):
    assert run("--version").stdout == f"modnet {modnet.__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_commands(run, flag):
    shown = run(flag).stdout
    assert all(f"\n  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(run, name):
    shown = run(name, "--help").stdout
    assert f"modnet {name}" in shown.partition("Example")[2]
    assert max(map(len, shown.splitlines())) <= 80


def test_as_a_module_and_without_imports(folder):
    # Without plugins: one that offers a command is imported for the help.
    code = "import importlib.metadata; importlib.metadata.entry_points = lambda **_: (); "
    code += "import sys; from modnet.cli.app import cli; cli.main(['--help'], 'modnet', standalone_mode=False); "
    code += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & {"numpy", "modnet.component", "modnet.layers", "pluggy", "msgpack", "rich"}
    process = start("--version", stdout=subprocess.PIPE)
    assert process.communicate()[0] == f"modnet {modnet.__version__}\n"


def test_without_click_there_is_advice(folder):
    code = "import sys; sys.modules['click'] = None; from modnet.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "the command modnet needs click and rich:  pip install 'modnet-core[cli]'\n"


def test_the_schema_of_a_spec(run):
    shown = run("schema").stdout
    assert "network" in json.loads(shown)["properties"]
    run("schema", "-o", "schema.json")
    assert Path("schema.json").read_text() == shown
