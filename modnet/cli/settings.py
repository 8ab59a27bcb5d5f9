"""Options that are pairs, such as `--set KEY=VALUE`, which replaces a value of a spec on the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

import click

from modnet.configuration.reading import DEEPEST
from modnet.words import legible


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Dotted path -> value, from KEY=VALUE; a value that is not TOML is taken as a string."""
    parsed = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip() or not all(key.split(".")):
            raise click.UsageError(f"--set {legible(setting)}: expected KEY=VALUE, such as training.epochs=3")
        if key.count(".") >= DEEPEST:
            raise click.UsageError(f"--set {legible(key)}: nested more than {DEEPEST} levels deep")
        parsed[key.strip()] = parsed_value(text, f"--set {legible(key)}")
    return parsed


def parse_pairs(option: str, texts: Sequence[str], example: str) -> dict[str, str]:
    """The pairs of an option that can be given several times: what stands before each = and behind it.

    Args:
        option: with what it expects, for messages: `--rename OLD=NEW`.
    """
    name, expected = option.split()
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{name} {legible(text)}: expected {expected}, such as {example}")
        if key in pairs:
            raise click.UsageError(f"{name} {legible(text)}: {legible(key)} is given twice")
        pairs[key] = value
    return pairs


def parsed_value(text: str, option: str) -> Any:
    """A value of TOML; a text that is none is taken as a string.

    Args:
        option: that has the value, for messages.
    """
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    except ValueError:  # beyond the digits that Python converts (4,300)
        raise click.UsageError(f"{option}: this number is too long: it has {len(text):,} digits") from None
    except RecursionError:
        raise click.UsageError(f"{option}: nested more than {DEEPEST} levels deep") from None
    return table["value"] if len(table) == 1 else text
