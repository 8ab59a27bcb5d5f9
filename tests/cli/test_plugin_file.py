"""`--plugin FILE`"""

from pathlib import Path

import pytest

import modnet

ACTIVATION = """\
import modnet
from {sibling} import FACTOR

class Scaled(modnet.Activation, type="scaled"):
    factor: float = FACTOR
    needs_input = False

    def function(self, x, out):
        out[...] = self.factor * x
        return out

    def derivative(self, x, y, out):
        out[...] = self.factor
        return out

class Helper:
    pass
"""


def test_its_components_can_be_named(run):
    Path("plugin_factors.py").write_text("FACTOR = 2.0\n")
    Path("json.py").write_text(ACTIVATION.format(sibling="plugin_factors"))  # a name that a module has already
    setting = 'network.layers.1.activation={type="scaled", factor=3.0}'
    assert "no problems" in run("check", "pets.toml", "--plugin", "json.py", "--set", setting).stdout
    shown = run("train", "pets.toml", "--plugin", "json.py", "--plugin", "json.py", "--set", setting).stdout
    assert shown.endswith("next: modnet predict pets.modnet NEW.csv --plugin json.py --plugin json.py\n")
    assert "scaled_1" in run("summary", "pets.modnet", "--plugin", "json.py").stdout


def test_without_it_the_name_is_unknown(run):
    assert modnet.default_registry().names(modnet.Activation).count("scaled") == 0
    assert (
        'unknown activation "scaled"'
        in run("check", "pets.toml", "--set", "network.layers.1.activation=scaled", status=2).stdout
    )


HOOKS = """\
import modnet

@modnet.hookimpl
def modnet_read_data(path):
    if path.suffix != ".pets":
        return None
    names, *rows = (line.split(";") for line in path.read_text().splitlines())
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}
"""


def test_its_hooks_are_called_by_every_command_that_reads_data(run, pets):
    options = ("--plugin", "readers.py")
    made = run("new-spec", pets, "--target", "kind", "-o", "own.toml", *options).stdout
    assert made.endswith("\nnext: modnet train own.toml --plugin readers.py\n")
    assert "no problems" in run("check", "own.toml", *options, *options).stdout  # twice: the second replaces the first
    run("train", "own.toml", "--set", "training.epochs=2", *options)
    assert run("evaluate", "own.modnet", pets, *options).stdout.startswith(f"{pets}: 80 rows")
    assert run("predict", "own.modnet", pets, *options).stdout.startswith("kind,P(cat),P(dog)\n")


def test_its_hooks_come_with_components(run, pets):
    Path("readers.py").write_text(
        HOOKS + ACTIVATION.format(sibling="readers").partition("\n\n")[2].replace("FACTOR", "2.0")
    )
    setting = 'network.layers.1.activation={type="scaled", factor=3.0}'
    given = ("--plugin", "readers.py", "--set", setting, "--set", f"data.train={pets}")
    assert "no problems" in run("check", "pets.toml", *given).stdout


@pytest.fixture
def pets():
    """The table of pets.csv in a format of its own, and readers.py, which reads it."""
    Path("readers.py").write_text(HOOKS)
    Path("table.pets").write_text(Path("pets.csv").read_text().replace(",", ";"))
    return "table.pets"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n", "it defines no component and no hook; expected a class such as"),
        ("import modnet\nclass Mine(modnet.Layer): pass\n", "; Mine has no type name; expected a class"),
        (
            "def modnet_read_data(path): pass\n",
            "; modnet_read_data is not marked as a hook: put @modnet.hookimpl above",
        ),
        (HOOKS.replace("(path)", "(file)"), "readers.py: modnet_read_data(file) requires file, but the hook is"),
        (
            HOOKS.replace("read_data", "raed_data"),
            'there is no hook modnet_raed_data; did you mean "modnet_read_data"?',
        ),
        (HOOKS.replace("read_data(path)", "commands(cli)"), "modnet_commands is only called for installed plugins"),
    ],
)
def test_a_file_without_components_or_with_wrong_hooks_is_refused(run, text, expected):
    Path("readers.py").write_text(text)
    for command in (("check", "pets.toml"), ("new-spec", "pets.csv", "--target", "kind")):
        assert expected in run(*command, "--plugin", "readers.py", status=2).stderr


def test_a_hook_that_fails_is_named(run, pets):
    Path("readers.py").write_text(HOOKS.replace("path.read_text()", "path.red_text()"))
    done = run("new-spec", pets, "--target", "kind", "--plugin", "readers.py", status=2)
    assert "readers.py: modnet_read_data raised AttributeError" in done.stderr
