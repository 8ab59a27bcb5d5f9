"""Writes the generated parts of the documentation: `python docs/generate.py`.

`docs/reference.md` is made as a whole from the classes; in `docs/cli.md` and `README.md` it is what stands between
`<!-- generated: NAME -->` and `<!-- end of NAME -->`. With `--check` nothing is written, and the exit status is 1
when a page is out of date.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the pages are those of this clone, whichever version is installed

import click  # noqa: E402

import modnet  # noqa: E402
from modnet.cli.app import COMMANDS, cli  # noqa: E402
from modnet.component import (  # noqa: E402
    KINDS,
    Activation,
    Component,
    Composite,
    Layer,
    Loss,
    Metric,
    Optimizer,
    Parameter,
)
from modnet.configuration import Configuration, describe, plain, show  # noqa: E402
from modnet.registry import BUILTIN, GROUPS, Registry  # noqa: E402
from modnet.testing.examples import examples_of  # noqa: E402

REGISTRY = Registry(list)
"""Without the plugins that happen to be installed here."""

PLURALS = {kind: group.removeprefix("modnet.") for kind, group in GROUPS.items()}

SECTIONS = ("Attributes", "Fields", "Args", "Returns", "Raises")


def main(arguments: Sequence[str]) -> int:
    stale = []
    for name, make in PAGES.items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        new = make(old)
        if new != old:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(new, encoding="utf-8")
    for name in stale:
        print(f"{name}: out of date; run python docs/generate.py" if "--check" in arguments else f"{name}: written")
    return 1 if stale and "--check" in arguments else 0


# Docstrings


def docstring(documented: Any) -> tuple[str, dict[str, dict[str, str]]]:
    """The text of a docstring, and of each of its sections the entries: name -> description."""
    text: list[str] = []
    sections: dict[str, dict[str, str]] = {}
    section = names = ""
    # Its own: that of a base class says nothing about it.
    for line in inspect.cleandoc(documented.__doc__ or "").splitlines():
        if line.rstrip(":") in SECTIONS and line.endswith(":"):
            section, names = line.rstrip(":"), ""
            sections[section] = {}
        elif line and not line.startswith(" "):
            section = ""
            text.append(line)
        elif not section:
            text.append(line)
        elif line.startswith("    ") and not line.startswith("     "):
            head, colon, rest = line.strip().partition(": ")
            unfinished = names.endswith(",") and names or ""
            if colon and all(re.fullmatch(r"\w+", part) for part in re.split(r", ", f"{unfinished} {head}".strip())):
                sections[section].pop(unfinished, None)
                names = f"{unfinished} {head}".strip()
                sections[section][names] = rest
            elif section != "Returns" and not colon and line.endswith(","):
                names = f"{unfinished} {line.strip()}".strip()
            else:
                sections[section][names] = f"{sections[section].get(names, '')} {line.strip()}".strip()
        else:
            sections[section][names] = f"{sections[section][names]} {line.strip()}".strip()
    return "\n".join(text).strip(), sections
