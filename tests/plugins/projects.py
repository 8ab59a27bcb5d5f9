"""Small plugins as projects, built and installed as a user installs them, and processes that find them."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import modnet

REPOSITORY = Path(modnet.__file__).parents[1]

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"
dependencies = {requires}

[tool.hatch.build.targets.wheel]
only-include = ["{module}.py"]
"""


@dataclass(frozen=True)
class Project:
    """A plugin of one module.

    Attributes:
        name, version, requires: of the distribution.
        code: of the module, which is called as the distribution is.
        offers: (group, name) -> what stands behind the colon of the entry point; "" for the module itself.
    """

    name: str
    code: str
    offers: dict[tuple[str, str], str] = field(default_factory=dict)
    version: str = "1.0"
    requires: tuple[str, ...] = ("modnet-core",)

    @property
    def module(self):
        return self.name.replace("-", "_")

    def write(self, folder):
        """Writes the sources below a folder, and gives their place."""
        place = folder / f"{self.name}-{self.version}"
        place.mkdir(parents=True, exist_ok=True)
        text = PYPROJECT.format(
            name=self.name, version=self.version, module=self.module, requires=json.dumps(self.requires)
        )
        for (group, name), value in self.offers.items():
            text += f'\n[project.entry-points."{group}"]\n{name} = "{self.module}{":" * bool(value)}{value}"\n'
        (place / "pyproject.toml").write_text(text)
        (place / f"{self.module}.py").write_text(self.code)
        return place


class Site:
    """A folder of installed distributions, and a folder to work in.

    Attributes:
        packages: what stands for site-packages.
        work: where commands and scripts run.
    """

    def __init__(self, folder):
        self.packages, self.sources, self.work = folder / "packages", folder / "sources", folder / "work"
        self.work.mkdir(parents=True)

    def install(self, *projects):
        """Builds the projects, and installs them in place of earlier versions."""
        if not projects:
            return
        self.uninstall(*(project.name for project in projects))
        sources = [project.write(self.sources) for project in projects]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
        options = ["--no-deps", "--no-build-isolation", "--no-compile", "--target", self.packages]
        done = subprocess.run(
            [*pip, *options, *sources], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout

    def uninstall(self, *names):
        for name in names:
            module = name.replace("-", "_")
            for path in [*self.packages.glob(f"{module}.*"), *self.packages.glob(f"{module}-*")]:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def python(self, *arguments, entered=None):
        """A process of Python's that finds the plugins: (exit status, standard output, standard error).

        Args:
            entered: what it gets on standard input.
        """
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [self.packages, REPOSITORY])),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "COLUMNS": "200",
        }
        environment.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.work,
            env=environment,
            input=entered,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def modnet(self, *arguments):
        """The command `modnet`."""
        return self.python("-m", "modnet", *arguments)

    def script(self, code, name="script.py"):
        """Runs a script of the folder to work in."""
        (self.work / name).write_text(code)
        return self.python(name)
