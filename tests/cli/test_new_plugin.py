"""modnet new-plugin: what it writes installs, passes its tests and the kit, and is clean."""

import ast
import os
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import modnet
from modnet.cli.new_plugin import FILES, TEMPLATES

REPOSITORY = Path(modnet.__file__).parents[1]

WRITTEN = {
    ".github/workflows/test.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "modnet_wave/__init__.py",
    "modnet_wave/activations.py",
    "modnet_wave/layers.py",
    "modnet_wave/losses.py",
    "modnet_wave/py.typed",
    "pyproject.toml",
    "sine.csv",
    "spec.toml",
    "tests/test_components.py",
}


@pytest.fixture
def plugin(run, folder):
    """The folder of a new plugin."""
    run("new-plugin", "wave")
    return folder / "modnet-wave"


def execute(folder, *command, path=()):
    """What a command of Python's modules prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, [*path, REPOSITORY])),
        "OPENBLAS_NUM_THREADS": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_it_writes(plugin):
    assert files_of(plugin) == WRITTEN
    for path in plugin.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert "{{" not in text.replace("${{ matrix.python }}", "")
            if path.suffix == ".py":
                ast.parse(text)


def test_every_template_is_used():
    assert {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.template")} == {
        f"{name}.template" for name in FILES
    }


def test_it_says_what_comes_next(run):
    assert run("new-plugin", "wave", "--directory", "plugins").output.splitlines() == [
        f"{Path('plugins/modnet-wave')}: 13 files; the package is modnet_wave, the licence MIT",
        f"next: cd {Path('plugins/modnet-wave')} && pip install --editable '.[dev]' && pytest",
    ]


@pytest.mark.parametrize(
    ("name", "distribution", "stem"),
    [
        ("wave", "modnet-wave", "wave"),
        ("modnet-wave", "modnet-wave", "wave"),
        ("Modnet_Wave.Forms", "modnet-wave-forms", "wave_forms"),
        ("u-net", "modnet-u-net", "u_net"),
    ],
)
def test_names(run, folder, name, distribution, stem):
    run("new-plugin", name)
    project = tomllib.loads((folder / distribution / "pyproject.toml").read_text())["project"]
    package = distribution.replace("-", "_")
    assert project["name"] == distribution
    assert project["entry-points"]["modnet.layers"] == {f"{stem}_scale": f"{package}.layers:Scale"}
    core = ".".join(modnet.__version__.split(".")[:2])
    assert project["dependencies"] == [f"modnet-core>={core}"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two words", '"two words" is no name of a distribution'),
        ("-wave", '"-wave" is no name of a distribution'),
        ("wélle", "is no name of a distribution"),
        ("modnet_core", "modnet-core is the library itself"),
        ("class", '"class_scale"; it has to begin with a letter and be no word of Python'),
        ("3d", '"3d_scale"; it has to begin with a letter'),
    ],
)
def test_names_that_are_refused(run, folder, name, message):
    result = run("new-plugin", "--", name, status=2)
    assert message in " ".join(result.output.split())
    assert not list(folder.glob("modnet*"))


def test_nothing_is_overwritten(run, plugin):
    (plugin / "README.md").write_text("mine")
    assert "modnet-wave: file exists" in run("new-plugin", "wave", status=2).output
    assert (plugin / "README.md").read_text() == "mine"


def test_it_is_clean(plugin):
    ruff = shutil.which("ruff", path=Path(sys.executable).parent) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    for arguments in (["check"], ["format", "--check"]):
        done = subprocess.run([ruff, *arguments, "--no-cache", "."], cwd=plugin, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_its_own_tests_pass(plugin):
    assert "10 passed" in execute(plugin, "pytest", "-p", "no:cacheprovider")


@pytest.mark.slow
def test_it_installs_keeps_its_contract_and_makes_a_wheel(plugin, tmp_path):
    pytest.importorskip("hatchling", reason="building needs hatchling: pip install 'modnet-core[test]'")
    pytest.importorskip("jsonschema", reason="check-plugin needs jsonschema: pip install 'modnet-core[test]'")
    pip = ["pip", "--disable-pip-version-check"]
    quick = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    execute(plugin, *pip, "wheel", *quick, "--wheel-dir", tmp_path / "dist", ".")
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name == "modnet_wave-0.1.0-py3-none-any.whl"
    installed = tmp_path / "installed"
    execute(plugin, *pip, "install", *quick, "--target", installed, wheel)
    assert {path.name for path in installed.iterdir()} == {"modnet_wave", "modnet_wave-0.1.0.dist-info"}
    printed = execute(tmp_path, "modnet", "check-plugin", "modnet-wave", path=[installed])
    assert "3 components of modnet-wave: all keep their contract" in printed
    page = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
    assert textwrap.indent(printed, "    ") in page, "docs/plugins.md shows what check-plugin prints"
    trained = execute(plugin, "modnet", "train", "spec.toml", path=[installed])
    assert "epoch" in trained
    assert (plugin / "spec.modnet").is_file()
