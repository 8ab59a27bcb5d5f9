"""The body of `modnet new-plugin`."""

from __future__ import annotations

import datetime
import json
import keyword
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import click

import modnet
from modnet.cli.author_commands import PLUGIN_KINDS
from modnet.cli.output import tell
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
    "tests/test_spec.py": "tests/test_spec.py",
}
"""Template -> where it goes, whatever the plugin offers."""


@dataclass(frozen=True)
class Part:
    """What a plugin can offer, with its place in the files that speak of all that it offers.

    Attributes:
        module: the stem of its two templates, the module and its tests.
        value: what the entry point names in it: ":Class", or "" for the module.
        name: the type name, behind that of the plugin; for hooks the entry point's.
        says: what it is, for the README.
        layer: its line in the list of layers of the spec.
        training: its line in [training].
        weights: what it adds to the first layer with weights.
    """

    module: str
    value: str
    name: str
    says: str
    layer: str = ""
    training: str = ""
    weights: str = ""


PARTS = {
    "layer": Part("layers", ":Scale", "_scale", "a trainable factor for each feature", layer='"{{stem}}_scale"'),
    "activation": Part(
        "activations", ":Sine", "_sine", "sin(omega * x)", layer='{ type = "{{stem}}_sine", omega = 2.0 }'
    ),
    "loss": Part(
        "losses",
        ":LogCosh",
        "_log_cosh",
        "half the square near 0, the distance far off",
        training='loss = "{{stem}}_log_cosh"',
    ),
    "metric": Part(
        "metrics",
        ":LargestError",
        "_largest_error",
        "the largest distance from a target",
        training='metrics = ["{{stem}}_largest_error"]',
    ),
    "optimizer": Part(
        "optimizers",
        ":Signed",
        "_signed",
        "steps by the sign of the averaged gradient (Lion)",
        training='optimizer = { type = "{{stem}}_signed", learning_rate = 0.003 }',
    ),
    "schedule": Part(
        "schedules",
        ":InverseSquareRoot",
        "_inverse_square_root",
        "a rise to 1, then down with the square root of the time",
        training='schedule = { type = "{{stem}}_inverse_square_root", warmup_epochs = 5.0 }',
    ),
    "initializer": Part(
        "initializers",
        ":SineUniform",
        "_sine_uniform",
        "uniform weights for layers before a sine",
        weights=', weight_initializer = "{{stem}}_sine_uniform"',
    ),
    "callback": Part(
        "callbacks",
        ":StopAt",
        "_stop_at",
        "stops when the loss is small enough",
        training='callbacks = [{ type = "{{stem}}_stop_at", loss = 1e-6 }]',
    ),
    "command": Part("commands", "", "", "`modnet {{stem}}`, which counts the parameters of a model"),
}
"""Kind -> what is written for it."""

WITHOUT = {
    "layer": "",
    "activation": '"tanh"',
    "loss": 'loss = "mse"',
    "metric": 'metrics = ["mean_absolute_error"]',
    "optimizer": 'optimizer = { type = "adam", learning_rate = 0.01 }',
    "schedule": "",
    "callback": "",
}
"""Kind -> what the spec has in its place, where the plugin offers none."""


def run(name: str, directory: Path, kinds: Sequence[str], core: str | None) -> None:
    kinds = [kind for kind in PLUGIN_KINDS if kind in (kinds or PLUGIN_KINDS[:3])]
    names = names_of(name)
    names |= contents_of(kinds, names) | {"core_source": core or installed_from() or f"{CORE}[cli]"}
    folder = directory / names["distribution"]
    folder.mkdir(parents=True)
    files = files_of(kinds)
    try:
        for template, place in files.items():
            path = folder / filled(place, names)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (TEMPLATES / f"{template}.template").read_text(encoding="utf-8")
            path.write_text(filled(text, names), encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # otherwise an incomplete folder would block the next attempt
        raise
    tell(f"{folder}: {len(files)} files; the package is {names['package']}, the licence MIT")
    tell(f"next: cd {folder} && pip install --editable '.[dev]' && pytest")


def files_of(kinds: Iterable[str]) -> dict[str, str]:
    """Template -> where it goes."""
    files = dict(FILES)
    for module in (PARTS[kind].module for kind in kinds):
        files[f"package/{module}.py"] = f"{{{{package}}}}/{module}.py"
        files[f"tests/test_{module}.py"] = f"tests/test_{module}.py"
    return files


def names_of(name: str) -> dict[str, str]:
    """What the templates are filled with.

    Raises:
        click.UsageError: nothing can be called so.
    """
    if not NAME.fullmatch(name):
        raise click.UsageError(
            f'"{name}" is not a valid name of a distribution; use letters, digits, -, _ and ., such as wave'
        )
    distribution = normalized(name)
    if not distribution.startswith(PREFIX):
        distribution = PREFIX + distribution
    if distribution == CORE:
        raise click.UsageError(f"{CORE} is the library itself; choose another name")
    stem = distribution.removeprefix(PREFIX).replace("-", "_")
    if not stem.isidentifier() or keyword.iskeyword(stem) or not re.match("[a-z]", stem):
        raise click.UsageError(
            f'"{name}" would give its components names such as "{stem}_scale"; it must begin with a letter and must '
            "not be a keyword of Python"
        )
    return {
        "distribution": distribution,
        "package": distribution.replace("-", "_"),
        "stem": stem,
        "core": ".".join(modnet.__version__.split(".")[:2]),
        "year": str(datetime.date.today().year),
    }


def contents_of(kinds: Sequence[str], names: Mapping[str, str]) -> dict[str, str]:
    """What the templates say of the things that the plugin offers."""
    with_articles = [f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in kinds]
    about = " and ".join(filter(None, (", ".join(with_articles[:-1]), with_articles[-1])))
    groups, rows = [], []
    for kind in kinds:
        part = PARTS[kind]
        group = "modnet" if kind == "command" else f"modnet.{part.module}"
        entry = f'{{{{stem}}}}{part.name} = "{{{{package}}}}.{part.module}{part.value}"'
        groups.append(f'[project.entry-points."{group}"]\n{entry}')
        rows.append(f"| {kind} | `{{{{stem}}}}{part.name}` | {part.says} |")
    layers, training = spec_lines(kinds)
    found = {
        "about": about[0].upper() + about[1:],
        "entry_points": "\n\n".join(groups),
        "rows": "\n".join(rows),
        "spec_layers": "\n".join(f"  {line}," for line in layers),
        "spec_training": "\n".join(training),
        "spec_weights": "".join(PARTS[kind].weights for kind in kinds),
    }
    return {key: filled(text, names) for key, text in found.items()}


def spec_lines(kinds: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines of the spec for what is offered, or in its place: of the list of layers, and of [training]."""
    lines = WITHOUT | {kind: PARTS[kind].layer or PARTS[kind].training for kind in kinds}
    groups = (("layer", "activation"), ("loss", "optimizer", "schedule", "metric", "callback"))
    layers, training = ([lines[kind] for kind in group if lines[kind]] for group in groups)
    return layers, training


def installed_from() -> str:
    """How pip installs the core from where it was installed here, where that is a repository; else ""."""
    try:
        direct = json.loads(distribution(CORE).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    source = direct.get("vcs_info", {})
    if not source:
        return ""
    return f"{CORE}[cli] @ {source['vcs']}+{direct['url']}@{source.get('requested_revision') or source['commit_id']}"


def filled(text: str, names: Mapping[str, str]) -> str:
    for key, value in names.items():
        text = text.replace("{{" + key + "}}", value)
    return text
