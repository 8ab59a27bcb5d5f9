"""Options that several commands have."""

from __future__ import annotations

import json
import math
import operator
import tomllib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

PIECES = 1000
"""So many pieces of JSON, of a few characters each, are printed at a time."""


def plugin_option(command: F) -> F:
    return click.option(
        "--plugin",
        "plugins",
        multiple=True,
        metavar="FILE",
        help="Run a Python file first, and know the components it defines. Can be given several times.",
    )(command)


def set_option(command: F) -> F:
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Replace a value of the spec: --set training.epochs=3. Can be given several times.",
    )(command)


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Dotted path -> value, from KEY=VALUE; a value that is no TOML is a string."""
    parsed = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip() or not all(key.split(".")):
            raise click.UsageError(f"--set {setting}: expected KEY=VALUE, such as training.epochs=3")
        try:
            table = tomllib.loads(f"value = {text}")
            value = table["value"] if len(table) == 1 else text
        except tomllib.TOMLDecodeError:
            value = text
        parsed[key.strip()] = value
    return parsed


def echo_json(value: Any) -> None:
    """Prints a value as JSON; nan and infinity, which JSON does not have, become null."""
    pieces: list[str] = []
    # In pieces and without a copy: what a file's header holds, with indents, can be many times as large as the file.
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(_finite(value)):
        pieces.append(piece)
        if len(pieces) == PIECES:
            click.echo("".join(pieces), nl=False)
            pieces.clear()
    click.echo("".join(pieces))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        changed = {key: finite for key, item in value.items() if (finite := _finite(item)) is not item}
        return {**value, **changed} if changed else value
    if isinstance(value, list | tuple):
        items = [*map(_finite, value)]
        return value if all(map(operator.is_, items, value)) else items
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
