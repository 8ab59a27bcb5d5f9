"""modnet plugins, and the commands that plugins bring."""

import importlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

GATE = "import modnet\nclass Gate(modnet.Layer, type='gate', version=3): ..."
COMMANDS = """\
import click, modnet

@modnet.hookimpl
def modnet_commands(cli):
    @cli.command()
    def hello():
        "Greet."
        click.echo("hello")
"""


def install_hooks(environment, name, code):
    environment.install(name, code)
    folder = environment.folder / f"{name}-1.0.dist-info"
    (folder / "entry_points.txt").write_text(f"[modnet]\n{name} = {name}\n")


def test_nothing_installed(environment, run):
    assert "builtin: " in run("plugins").stdout


@pytest.mark.parametrize(
    ("plugins", "remarks"),
    [
        (
            {"modnet-gates": "gate"},
            {("gate", "modnet-gates 1.0"): (3, None)},
        ),
        (
            {"modnet-gates": "gate", "modnet-doors": "gate"},
            {
                ("gate", "modnet-gates 1.0"): (
                    3,
                    "2 plugins offer it: modnet-doors, modnet-gates; write gate@modnet-gates",
                ),
                ("gate", "modnet-doors 1.0"): (
                    3,
                    "2 plugins offer it: modnet-doors, modnet-gates; write gate@modnet-doors",
                ),
            },
        ),
        (
            {"modnet-wave": "haar"},
            {("haar", "modnet-wave 1.0"): (None, "broken: ModuleNotFoundError: No module named 'pywavelets_'")},
        ),
        (
            {"modnet-lines": "linear"},
            {("linear", "modnet-lines 1.0"): (1, "the core has one with that name; write linear@modnet-lines")},
        ),
    ],
    ids=["fine", "ambiguous", "broken", "a core name"],
)
def test_what_is_offered(environment, run, plugins, remarks):
    code = {"gate": GATE, "haar": "import pywavelets_", "linear": GATE.replace("'gate', version=3", "'linear'")}
    for plugin, name in plugins.items():
        environment.install(plugin, code[name], layers={name: "Gate"})
    listed = json.loads(run("plugins", "--json").stdout)
    found = {(row["type"], row["plugin"]): (row["version"], row["error"]) for row in listed}
    assert {key: value for key, value in found.items() if key[1].split(" ")[0] in plugins} == remarks
    table = run("plugins").stdout
    assert all(remark in table for _, remark in remarks.values() if remark)


def test_the_traceback_of_what_is_broken(environment, run):
    environment.install("modnet-wave", "def f():\n    return 1 / 0\nf()", layers={"haar": "Haar"})
    shown = run("plugins", "--errors").stdout
    assert "layer haar of modnet-wave 1.0 (modnet_wave:Haar)" in shown
    assert "ZeroDivisionError: division by zero" in shown
    assert "modnet_wave.py" in shown


def test_what_is_broken_without_an_error_of_its_own_has_no_traceback(environment, run):
    environment.install("modnet-gate", GATE, layers={"gait": "Gate"}, layer={"gate": "Gate"})
    shown = run("plugins", "--errors").stdout
    assert "Traceback" not in shown
    assert 'broken: has the type name "gate"; entry point and class must have the same name' in shown
    assert 'broken: modnet has no group of entry points "modnet.layer"; did you mean "modnet.layers"?' in shown
    assert "entry point  gate" in run("plugins").stdout


def test_kernels_are_listed_whether_they_work_or_not(environment, run, monkeypatch):
    code = "def make(component, dtype): ...\n"
    environment.install("modnet-fast", code, kernels={"layer.flatten.forward": "make"})
    environment.install("modnet-lost", "import compiler_", kernels={"layer.flatten.backward": "make"})
    listed = {row["type"]: row for row in json.loads(run("plugins", "--json").stdout)}
    assert listed["layer.flatten.forward"].pop("seconds") > 0
    assert listed["layer.flatten.forward"] == {
        "kind": "kernel",
        "type": "layer.flatten.forward",
        "version": None,
        "plugin": "modnet-fast 1.0",
        "from": "modnet_fast:make",
        "error": None,
    }
    error = "broken: ModuleNotFoundError: No module named 'compiler_'"
    assert listed["layer.flatten.backward"]["error"] == error
    shown = run("plugins", "--errors").stdout
    assert "kernel layer.flatten.backward of modnet-lost 1.0 (modnet_lost:make)" in shown
    assert "Traceback" in shown
    monkeypatch.setenv("MODNET_KERNELS", "off")
    assert "not used: MODNET_KERNELS=off" in run("plugins").stdout


@pytest.fixture
def clock(environment, monkeypatch):
    """A clock that only plugins move, by `import modnet_clock; modnet_clock.now += seconds`."""
    environment.install("modnet-clock", "now = 0.0")
    clock = importlib.import_module("modnet_clock")
    for module in ("modnet.cli.plugins", "modnet.plugins.hooks"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(perf_counter=lambda: clock.now))


@pytest.mark.usefixtures("clock")
def test_the_slowest_import_comes_first(environment, run):
    for name, delay in (("modnet-quick", 0), ("modnet-slow", 0.05)):
        code = f"import modnet_clock; modnet_clock.now += {delay}\n{GATE}".replace("'gate'", f"'{name[7:]}'")
        environment.install(name, code, layers={name[7:]: "Gate"})
    heading, first, *_ = run("plugins", "--times").stdout.splitlines()
    assert heading.split() == ["kind", "type", "version", "plugin", "import", "from"]
    assert re.match(r"layer +slow +3 +modnet-slow 1\.0 +50\.0 ms  modnet_slow:Gate", first)


@pytest.mark.usefixtures("clock")
def test_hook_modules_have_times_and_plugins_too(environment, run):
    environment.install("modnet-gates", GATE, layers={"gate": "Gate"})
    install_hooks(environment, "greeting", f"import modnet_clock; modnet_clock.now += 0.05\n{COMMANDS}")
    printed = run("plugins", "--times").stdout
    assert re.search(r"^hooks +greeting +greeting 1\.0 +50\.0 ms  greeting: modnet_commands$", printed, re.M)


def test_the_error_of_a_broken_plugin_is_in_one_line(environment, run):
    code = "raise ImportError('no such\\nlibrary')"
    environment.install("modnet-gates", code, layers={"gate": "Gate"})
    assert "  broken: ImportError: no such library\n" in run("plugins").stdout


def test_all_in_json(environment, run):
    environment.install("modnet-gates", GATE, version="2.0", layers={"gate": "Gate"})
    listed = json.loads(run("plugins", "--all", "--json").stdout)
    (gate,) = (row for row in listed if row["type"] == "gate")
    assert gate.pop("seconds") > 0
    assert gate == {
        "kind": "layer",
        "type": "gate",
        "version": 3,
        "plugin": "modnet-gates 2.0",
        "from": "modnet_gates:Gate",
        "error": None,
    }
    assert {"linear", "adam", "progress"} <= {row["type"] for row in listed}
    assert not [row for row in listed if row["error"]]


def test_a_command_of_a_plugin(environment, run):
    install_hooks(environment, "greeting", COMMANDS)
    assert run("hello").stdout == "hello\n"
    assert re.search("hello +Greet[.]", run("--help").stdout)
    assert "modnet_commands" in run("plugins").stdout


@pytest.mark.parametrize(
    ("code", "warning"),
    [
        (
            "1 / 0",
            'hooks "other" of other 1.0 (other) cannot be imported: ZeroDivisionError: division by zero; for details: '
            "modnet",
        ),
        (
            COMMANDS.replace('"Greet."', "1 / 0").replace("@cli.command()", "1 / 0"),
            'its commands are left out: hooks "other" of other 1.0 (other): modnet_commands raised ZeroDivisionError: ',
        ),
        (
            COMMANDS.replace("def hello", "def train"),
            'the command "train" of other 1.0 is left out: modnet itself has a command',
        ),
        (
            COMMANDS.replace("(cli)", "(group, cli)"),
            'hooks "other" of other 1.0 (other): modnet_commands(group, cli) requires group, but the hook is '
            "modnet_commands(cli); for details: modnet plugins --errors",
        ),
        (
            COMMANDS.replace("modnet_commands", "modnet_comands"),
            'hooks "other" of other 1.0 (other): there is no hook modnet_comands; did you mean "modnet_commands"?',
        ),
    ],
    ids=["import", "hook", "taken", "signature", "no such hook"],
)
def test_a_broken_plugin_is_a_warning(environment, run, code, warning):
    install_hooks(environment, "other", code)
    result = run("--help")
    assert result.stderr.startswith("warning: ")
    assert warning in result.stderr
    assert "Traceback" not in result.stderr


READER = """
import modnet
@modnet.hookimpl
def modnet_read_data(path):
    if path.suffix == ".strange":
        return {"size": 1 / 0}
"""


def test_a_hook_that_raises_is_told_as_its_plugins(environment, run, folder):
    install_hooks(environment, "columns", READER)
    (folder / "pets.strange").write_bytes(b"PAR1")
    result = run("train", "pets.toml", "--set", "data.train=pets.strange", status=2)
    expected = 'hooks "columns" of columns 1.0 (columns): modnet_read_data raised ZeroDivisionError: division by zero'
    assert result.stderr == f"error: {expected}\n"


def test_two_plugins_with_one_command(environment, run):
    install_hooks(environment, "first", COMMANDS)
    install_hooks(environment, "second", COMMANDS)
    result = run("hello")
    assert result.stdout == "hello\n"
    assert "is left out: another plugin has a command with that name" in result.stderr


def test_built_in_commands_import_no_hooks(environment, run):
    install_hooks(environment, "greeting", "1 / 0")
    assert run("check", "pets.toml").stderr == ""


DOUBLE = """\
import warnings
import numpy as np
from modnet import Activation

class Double(Activation, type="double"):
    "y = 2 x"

    def check(self):
        warnings.warn("double is deprecated; use linear", FutureWarning, stacklevel=2)

    def function(self, x, out):
        return np.multiply(x, 2, out=out)

    def derivative(self, x, y, out):
        out.fill(2)
        return out
"""


@pytest.mark.filterwarnings("default::FutureWarning")
def test_a_deprecated_component_of_a_spec_warns_on_the_command_line(environment, run):
    environment.install("modnet-double", DOUBLE, activations={"double": "Double"})
    Path("double.toml").write_text('network = { input = [1], layers = ["double"] }')
    assert "warning: double is deprecated; use linear" in run("check", "double.toml").stderr
