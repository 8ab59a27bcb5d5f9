"""The imports with which packages tell type checkers what they load when it is first used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import modnet
import modnet.testing
from modnet.plugins.builtin import BUILTIN

FOR_TYPE_CHECKERS = re.compile(r"^if TYPE_CHECKING:.*\n(?: {4}.+\n)+", re.MULTILINE)


def lazy_packages(root: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Packages that load their names when they are used, and name -> the module that has it."""
    yield "modnet", modnet._HOME
    yield "modnet.testing", modnet.testing._HOME
    for group, offered in BUILTIN.items():
        if (root / group.replace(".", "/")).is_dir():
            yield group, {cls: module for module, cls in (value.split(":") for value in offered.values())}


def imports(homes: Mapping[str, str]) -> str:
    """The block for type checkers, in the order in which ruff sorts imports."""

    def order(name: str) -> tuple[Any, ...]:
        return homes[name], not (len(name) > 1 and name.isupper()), not name[0].isupper(), name

    lines = [f"    from {homes[name]} import {name} as {name}\n" for name in sorted(homes, key=order)]
    return "".join(["if TYPE_CHECKING:  # written by docs/generate.py\n", *lines])
