"""The plugins of this repository: their wheels have all that users need, and the documentation leads to each."""

import configparser
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))

each = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)


@each
def test_the_wheel_is_whole(plugin, tmp_path):
    pytest.importorskip("hatchling", reason="building a wheel needs hatchling: pip install 'modnet-core[test]'")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path]
    done = subprocess.run(command, cwd=plugin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    package = plugin.name.replace("-", "_")
    (information,) = {name.partition("/")[0] for name in files if name.partition("/")[0] != package}
    assert files[f"{information}/licenses/LICENSE"] == (ROOT / "LICENSE").read_text()
    assert f"{package}/py.typed" in files
    assert not [name for name in files if "test" in name or "benchmark" in name]
    points = configparser.ConfigParser(delimiters="=")
    points.optionxform = str
    points.read_string(files.get(f"{information}/entry_points.txt", ""))
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    assert {group: dict(points[group]) for group in points.sections()} == project.get("entry-points", {})
    assert (plugin / "README.md").read_text().strip() in files[f"{information}/METADATA"]


@each
@pytest.mark.parametrize("page", ["README.md", "docs/plugins/tutorial.md", "docs/design.md"])
def test_it_is_found(plugin, page):
    way = "../" * page.count("/")
    assert f"]({way}plugins/{plugin.name}/README.md)" in (ROOT / page).read_text()


@each
def test_its_version_and_python_are_those_of_the_others(plugin):
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == core["requires-python"]
    assert project["license"] == core["license"]
