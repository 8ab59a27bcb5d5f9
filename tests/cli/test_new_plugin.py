"""modnet new-plugin: what it writes installs, passes its tests and the kit, and is clean."""

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import modnet
from modnet.cli import new_plugin
from modnet.cli.author_commands import PLUGIN_KINDS
from modnet.cli.new_plugin import PARTS, TEMPLATES

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
    "tests/test_activations.py",
    "tests/test_layers.py",
    "tests/test_losses.py",
    "tests/test_spec.py",
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
        f"{name}.template" for name in new_plugin.files_of(PLUGIN_KINDS)
    }
    assert tuple(PARTS) == PLUGIN_KINDS


def test_it_says_what_comes_next(run):
    assert run("new-plugin", "wave", "--directory", "plugins").output.splitlines() == [
        f"{Path('plugins/modnet-wave')}: 16 files; the package is modnet_wave, the licence MIT",
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
        ("two words", '"two words" is not a valid name of a distribution'),
        ("-wave", '"-wave" is not a valid name of a distribution'),
        ("wélle", "is not a valid name of a distribution"),
        ("modnet_core", "modnet-core is the library itself"),
        ("class", '"class_scale"; it must begin with a letter and must not be a keyword of Python'),
        ("3d", '"3d_scale"; it must begin with a letter'),
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


def test_only_what_is_asked_for_is_written(run, folder):
    run("new-plugin", "wave", "--kind", "metric", "--kind", "command")
    plugin = folder / "modnet-wave"
    modules = {"__init__.py", "py.typed", "metrics.py", "commands.py"}
    assert {path.name for path in (plugin / "modnet_wave").iterdir()} == modules
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    assert project["description"] == "A metric and a command for modnet"
    assert project["entry-points"] == {
        "modnet.metrics": {"wave_largest_error": "modnet_wave.metrics:LargestError"},
        "modnet": {"wave": "modnet_wave.commands"},
    }
    spec = tomllib.loads((plugin / "spec.toml").read_text())
    assert spec["training"]["metrics"] == ["wave_largest_error"]
    assert [layer if isinstance(layer, str) else layer["type"] for layer in spec["network"]["layers"]] == [
        "standardize",
        "linear",
        "tanh",
        "linear",
    ]


@pytest.mark.parametrize(
    ("direct_url", "source"),
    [
        (None, "modnet-core[cli]"),
        ({"url": "file:///home/me/modnet", "dir_info": {}}, "modnet-core[cli]"),
        (
            {
                "url": "https://host/me/modnet",
                "vcs_info": {"vcs": "git", "commit_id": "a", "requested_revision": "v1"},
            },
            "modnet-core[cli] @ git+https://host/me/modnet@v1",
        ),
        (
            {"url": "https://host/me/modnet", "vcs_info": {"vcs": "git", "commit_id": "a1b2"}},
            "modnet-core[cli] @ git+https://host/me/modnet@a1b2",
        ),
    ],
)
def test_ci_gets_the_core_from_where_it_was_installed(run, folder, monkeypatch, direct_url, source):
    text = json.dumps(direct_url) if direct_url else None
    monkeypatch.setattr(new_plugin, "distribution", lambda name: SimpleNamespace(read_text=lambda file: text))
    run("new-plugin", "wave")
    workflow = (folder / "modnet-wave" / ".github" / "workflows" / "test.yml").read_text()
    assert f'  MODNET_CORE: "{source}"\n' in workflow


def test_or_from_where_it_is_told(run, folder):
    run("new-plugin", "wave", "--core", "modnet-core @ git+https://host/modnet")
    workflow = (folder / "modnet-wave" / ".github" / "workflows" / "test.yml").read_text()
    assert '  MODNET_CORE: "modnet-core @ git+https://host/modnet"\n' in workflow


@pytest.fixture
def full(run, folder):
    """The folder of a new plugin with everything."""
    run("new-plugin", "wave", *(word for kind in PLUGIN_KINDS for word in ("--kind", kind)))
    return folder / "modnet-wave"


@pytest.mark.slow
def test_type_checkers_find_nothing(full):
    pytest.importorskip("mypy", reason="pip install 'modnet-core[dev]'")
    assert "no issues found" in execute(full, "mypy", "--strict", "--cache-dir", full / "cache", "modnet_wave", "tests")
    if importlib.util.find_spec("pyright"):
        assert "0 errors" in execute(full, "pyright", "--pythonpath", sys.executable, "modnet_wave", "tests")


def test_it_is_clean(full):
    ruff = shutil.which("ruff", path=Path(sys.executable).parent) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    for arguments in (["check"], ["format", "--check"]):
        done = subprocess.run([ruff, *arguments, "--no-cache", "."], cwd=full, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_its_own_tests_pass(full, tmp_path):
    # As pip would have installed it: its spec names what it offers.
    project = tomllib.loads((full / "pyproject.toml").read_text())["project"]
    info = tmp_path / "installed" / "modnet_wave-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: modnet-wave\nVersion: 0.1.0\n")
    lines = []
    for group, offered in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in offered.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    assert "24 passed" in execute(full, "pytest", "-p", "no:cacheprovider", path=[info.parent])


def test_its_source_distribution_has_no_model_file(plugin, tmp_path):
    pytest.importorskip("hatchling", reason="building needs hatchling: pip install 'modnet-core[test]'")
    (plugin / "spec.modnet").write_bytes(b"what modnet train spec.toml has written")
    (plugin / ".mypy_cache").mkdir()
    (plugin / ".mypy_cache" / "layers.json").write_text("{}")
    execute(plugin, "hatchling", "build", "--target", "sdist", "--directory", tmp_path / "dist")
    with tarfile.open(next((tmp_path / "dist").glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    ours = {name for name in WRITTEN if not name.startswith(".")}
    assert names - {"PKG-INFO", ".gitignore"} == ours


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
    trained = execute(plugin, "modnet", "train", "spec.toml", path=[installed])
    assert "epoch" in trained
    assert (plugin / "spec.modnet").is_file()
