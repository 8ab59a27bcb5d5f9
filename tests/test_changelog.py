"""The changelog is made of fragments, one file for each change."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "changelog.d"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TYPES = [each["directory"] for each in PROJECT["tool"]["towncrier"]["type"]]
NAME = re.compile(rf"[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(TYPES)})(\.[1-9]\d*)?\.md")
FRAGMENTS = sorted(set(FOLDER.iterdir()) - {FOLDER / "README.md", FOLDER / "release.md.jinja"})


def test_every_fragment_has_a_valid_name():
    assert [path.name for path in FRAGMENTS if not NAME.fullmatch(path.name)] == []


@pytest.mark.parametrize("name", ["plot.added.md", "reader-csv.fixed.md", "12.security.md", "plot.added.2.md"])
def test_valid_names(name):
    assert NAME.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["plot.md", "plot.new.md", "added.md", "Plot.added.md", "plot.added", "plot_a.added.md"]
)
def test_invalid_names(name):
    assert not NAME.fullmatch(name)


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_a_paragraph(path):
    text = path.read_text(encoding="utf-8")
    assert text.strip(), "the file is empty"
    assert not re.search(r"^#", text, re.MULTILINE), "towncrier writes the headings"


def test_the_page_about_fragments_has_every_type():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == TYPES


def test_a_release_moves_fragments_into_the_changelog(tmp_path):
    pytest.importorskip("towncrier", reason="towncrier writes the changelog: pip install 'modnet-core[dev]'")
    folder = tmp_path / "changelog.d"
    folder.mkdir()
    for path in (ROOT / "pyproject.toml", ROOT / "CHANGELOG.md", FOLDER / "README.md", FOLDER / "release.md.jinja"):
        (tmp_path / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    (folder / "reader.fixed.md").write_text("A file is read\nto its end.\n", encoding="utf-8")
    (folder / "plot.added.md").write_text("Pictures.\n", encoding="utf-8")
    (folder / "plot.added.2.md").write_text("More of them.\n", encoding="utf-8")
    command = [sys.executable, "-m", "towncrier", "build", "--yes", "--version", "9.8.7", "--date", "2031-02-03"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    before, _, after = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8").partition("## 9.8.7 (2031-02-03)\n")
    assert "# Changelog" in before
    added, fixed = "### Added\n\n- Pictures.\n- More of them.\n", "### Fixed\n\n- A file is read\n  to its end.\n"
    assert after.startswith(f"\n{added}\n{fixed}\n")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "release.md.jinja"]
