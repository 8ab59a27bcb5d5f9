"""The command itself: help, version, what is imported, what is missing."""

import inspect
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import modnet
from modnet.cli.command import Commands
from modnet.cli.commands import BODIES, COMMANDS
from modnet.plugins.known import OFFERED_COMMANDS
from tests.cli.test_train import start


def test_version(run):
    assert run("--version").stdout == f"modnet {modnet.__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_commands(run, flag):
    shown = run(flag).stdout
    assert all(f"\n  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", {**COMMANDS, **BODIES})
def test_every_command_has_help_with_an_example(run, name):
    shown = run(*name.split(), "--help").stdout
    assert f"modnet {name}" in shown.partition("Example")[2]
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", BODIES)
def test_the_body_of_a_command_takes_what_its_row_says(name):
    body = import_module(BODIES[name].module).run
    names = {str(found.name) for found in BODIES[name].made().params if getattr(found, "expose_value", True)}
    if "encoding" in names:
        names = names - {"encoding", "delimiter", "decimal", "header", "sheet", "query"} | {"reading"}
    assert sorted(inspect.signature(body).parameters) == sorted(names)


SCREENS = [["--help"], *([*name.split(), "--help"] for name in BODIES)]


@pytest.mark.parametrize("completing", [False, True], ids=["help", "completion"])
def test_no_body_is_imported_before_it_runs(completing):
    # Without plugins: one that offers a command is imported for the help.
    code = "import importlib.metadata; importlib.metadata.entry_points = lambda **_: (); "
    code += "import sys; from modnet.cli.app import cli; "
    if completing:
        code += "from click.shell_completion import ShellComplete; completer = ShellComplete(cli, {}, 'modnet', ''); "
        code += "assert len(completer.get_completions([], '')) > 10; "
        code += "assert completer.get_completions(['train', 'x.toml'], '--re'); "
    else:
        code += f"[cli.main(screen, 'modnet', standalone_mode=False) for screen in {SCREENS}]; "
    code += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & {"numpy", "modnet.kinds", "modnet.layers", "pluggy", "msgpack", "rich"}
    assert not loaded & {row.module for row in BODIES.values()}


def test_as_a_module(folder):
    process = start("--version", stdout=subprocess.PIPE)
    assert process.communicate()[0] == f"modnet {modnet.__version__}\n"


def test_without_click_there_is_advice(folder):
    code = "import sys; sys.modules['click'] = None; from modnet.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "the command modnet needs click and rich:  pip install 'modnet-core[cli]'\n"


NINES = "9" * 5000


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.seed=١٢", 'training.seed: expected a whole number >= 0, found "١٢"'),
        (f"training.seed={NINES}", "--set training.seed: this number is too long: it has 5,000 digits"),
        (f"training.seed=[{NINES}]", "--set training.seed: this number is too long"),
        (f"training.seed=0x{NINES}", f"--set training.seed=0x{NINES[:64]}...: training.seed: expected a whole number"),
        (f"network.layers.{NINES}.units=1", "is not an index of a list"),
        (f"network.layers.1.out_features={NINES}", "this number is too long"),
        ("network.layers.١.out_features=3", 'is not an index of a list of 4 items'),
        ("network.layers.².out_features=3", 'is not an index of a list of 4 items'),
        ("network.layers.-1.out_features=3", '"-1" is not an index of a list of 4 items'),
        (f"network.layers.{NINES}.out_features=3", 'is not an index of a list of 4 items'),
        ("network.layers.4.out_features=3", '"4" is not an index of a list of 4 items'),
        (f"training.seed={'[' * 5000}", "--set training.seed: nested more than 64 levels deep"),
        (f"{'a.' * 3000}b=1", "nested more than 64 levels deep"),
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_settings_that_make_no_sense_are_wrong_calls(run, setting, message):
    result = run("check", "pets.toml", "--set", setting, status=2)
    assert message in result.stdout + result.stderr
    assert "unexpected error" not in result.stderr


pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@pipes
@pytest.mark.parametrize("command", ["check", "train", "summary"])
@pytest.mark.parametrize("name", ["a.toml", "a.json", "a.yaml", "a"])
def test_a_pipe_is_no_spec(run, command, name):
    os.mkfifo(name)
    result = run(command, name, status=2)
    assert f"{name}: this is a pipe or device" in result.stdout + result.stderr


@pipes
def test_a_pipe_is_no_plugin(run):
    os.mkfifo("a.py")
    assert "a.py: a pipe or device" in run("check", "pets.toml", "--plugin", "a.py", status=2).stderr


def test_the_schema_of_a_spec(run):
    shown = run("schema").stdout
    assert "network" in json.loads(shown)["properties"]
    run("schema", "-o", "schema.json")
    assert Path("schema.json").read_text() == shown


@pytest.mark.parametrize("name", OFFERED_COMMANDS)
def test_a_command_of_a_plugin_that_is_not_installed_says_what_installs_it(name):
    from click.testing import CliRunner

    found = CliRunner().invoke(Commands("modnet"), [name], prog_name="modnet")
    assert found.exit_code == 2
    assert f'unknown command "{name}"; it comes with pip install {OFFERED_COMMANDS[name]}' in found.output
    readme = Path(__file__).parents[2] / "plugins" / OFFERED_COMMANDS[name] / "README.md"
    assert f"modnet {name} " in readme.read_text(encoding="utf-8")


def test_ctrl_c_before_the_command_is_imported_gives_no_traceback(monkeypatch, capsys):
    import modnet.cli

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(modnet.cli, "_run", interrupted)
    with pytest.raises(SystemExit) as ended:
        modnet.cli.main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "interrupted\n")
