"""What is shipped: the source distribution has everything that its tests need, and nothing else."""

import re
import runpy
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import modnet

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a clone of the repository knows which files are its own")
def test_the_source_distribution_is_the_repository(tmp_path):
    pytest.importorskip("hatchling", reason="building needs hatchling: pip install 'modnet-core[test]'")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    files = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    assert shipped == {*files, "PKG-INFO"}


def test_all_distributions_have_one_version():
    command = [sys.executable, ROOT / ".ci" / "version.py", "--is", modnet.__version__]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_links_of_a_readme_lead_to_the_repository():
    """Pictures as files, all else as pages; what is absolute, or on the page itself, stays."""
    absolute = runpy.run_path(str(ROOT / ".ci" / "links.py"))["absolute"]
    text = "![a](a.svg), [b](../b.md#c), [d](#e), [f](https://python.org)"
    assert absolute(text, "plugins", "https://host/o/n", "v1") == (
        "![a](https://host/o/n/raw/v1/plugins/a.svg), [b](https://host/o/n/blob/v1/b.md#c), [d](#e), "
        "[f](https://python.org)"
    )


class TestWorkflows:
    """What runs on GitHub is what runs here."""

    @pytest.fixture
    def steps(self):
        return list(runpy.run_path(str(ROOT / ".ci" / "steps.py"))["STEPS"])

    def test_every_step_runs_before_a_change_lands(self, steps):
        pytest.importorskip("ruamel.yaml", reason="reading YAML needs the extra yaml")
        jobs = read_yaml(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
        (tests,) = (each["run"] for each in jobs["tests"]["steps"] if "run" in each)
        # `newest` tests the Pythons of this machine; the matrix has them all.
        assert [*tests.split()[2:], *jobs["steps"]["strategy"]["matrix"]["step"]] == [
            name for name in steps if name != "newest"
        ]

    def test_workflows_call_steps_that_exist(self, steps):
        pytest.importorskip("ruamel.yaml", reason="reading YAML needs the extra yaml")
        for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
            for job in read_yaml(path)["jobs"].values():
                for command in (each["run"] for each in job["steps"] if "run" in each):
                    for called in re.findall(r"\.ci/steps\.py ([a-z ]+)", command):
                        assert set(called.split()) <= set(steps), path

    def test_all_of_github_is_yaml(self):
        pytest.importorskip("ruamel.yaml", reason="reading YAML needs the extra yaml")
        paths = [*sorted((ROOT / ".github").rglob("*.yml")), ROOT / "CITATION.cff", ROOT / ".pre-commit-config.yaml"]
        assert len(paths) > 6
        for path in paths:
            assert read_yaml(path), path


def read_yaml(path):
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
