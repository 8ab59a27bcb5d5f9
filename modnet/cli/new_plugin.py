"""The body of `modnet new-plugin`."""

from __future__ import annotations

import datetime
import keyword
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import click

import modnet
from modnet.cli.output import echo
from modnet.plugins.builtin import CORE
from modnet.plugins.distributions import normalized

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
"""A distribution's name, as packaging tools accept it (PEP 508)."""

PREFIX = "modnet-"

TEMPLATES = Path(__file__).with_name("templates") / "plugin"

FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "LICENSE": "LICENSE",
    "gitignore": ".gitignore",
    "spec.toml": "spec.toml",
    "sine.csv": "sine.csv",
    "test.yml": ".github/workflows/test.yml",
    "package/__init__.py": "{{package}}/__init__.py",
    "package/py.typed": "{{package}}/py.typed",
    "package/layers.py": "{{package}}/layers.py",
    "package/activations.py": "{{package}}/activations.py",
    "package/losses.py": "{{package}}/losses.py",
    "tests/test_components.py": "tests/test_components.py",
}
"""Template -> where it goes."""


def run(name: str, directory: Path) -> None:
    names = names_of(name)
    folder = directory / names["distribution"]
    folder.mkdir(parents=True)
    try:
        for template, place in FILES.items():
            path = folder / filled(place, names)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (TEMPLATES / f"{template}.template").read_text(encoding="utf-8")
            path.write_text(filled(text, names), encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # a part of it would be in the way of the next attempt
        raise
    echo(f"{folder}: {len(FILES)} files; the package is {names['package']}, the licence MIT")
    echo(f"next: cd {folder} && pip install --editable '.[dev]' && pytest")


def names_of(name: str) -> dict[str, str]:
    """What the templates are filled with.

    Raises:
        click.UsageError: nothing can be called so.
    """
    if not NAME.fullmatch(name):
        raise click.UsageError(f'"{name}" is no name of a distribution: letters, digits, -, _ and ., such as wave')
    distribution = normalized(name)
    if not distribution.startswith(PREFIX):
        distribution = PREFIX + distribution
    if distribution == CORE:
        raise click.UsageError(f"{CORE} is the library itself; choose another name")
    stem = distribution.removeprefix(PREFIX).replace("-", "_")
    if not stem.isidentifier() or keyword.iskeyword(stem) or not re.match("[a-z]", stem):
        raise click.UsageError(
            f'"{name}" would give its components names such as "{stem}_scale"; it has to begin with a letter and be no '
            "word of Python"
        )
    return {
        "distribution": distribution,
        "package": distribution.replace("-", "_"),
        "stem": stem,
        "core": ".".join(modnet.__version__.split(".")[:2]),
        "year": str(datetime.date.today().year),
    }


def filled(text: str, names: Mapping[str, str]) -> str:
    for key, value in names.items():
        text = text.replace("{{" + key + "}}", value)
    return text
