"""How commands write to the screen: all text of theirs goes through here.

Names and values in a stranger's file, and the names of files, can be anything. None of them moves a terminal.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from typing import Any, TextIO

import click

from modnet.errors import harmless

_HIDDEN = re.compile(r"[^\x20-\x7e\n]")


def echo(text: object = "", *, err: bool = False, nl: bool = True, styled: bool = False) -> None:
    """Prints a text, with what could steer a terminal made visible.

    A reader who has left, as of `modnet train | head -1`, ends no work: what follows goes nowhere.

    Args:
        text: the text; its line breaks and tabs stay.
        err: to standard error, which nothing depends on: where it cannot be written to the text is lost.
        nl: whether a line break follows.
        styled: the text has colours of its own; what is in it of others has been through `harmless`.

    Raises:
        OSError: standard output cannot be written to.
    """
    try:
        click.echo(str(text) if styled else harmless(str(text)), err=err, nl=nl)
    except BrokenPipeError:
        discard(sys.stderr if err else sys.stdout)
    except OSError:
        if not err:
            raise


def discard(stream: TextIO) -> None:
    """Lets all further output of a stream vanish, that which it still holds too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def echo_json(value: Any) -> None:
    """Prints a value as JSON; nan and infinity, which JSON does not have, become null."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False)
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    echo(_HIDDEN.sub(lambda found: _escaped(found[0], encoding.startswith("utf")), text))


def _escaped(character: str, unicode: bool) -> str:
    return character if unicode and character.isprintable() else json.dumps(character)[1:-1]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def open_missing_streams() -> None:
    """Gives a process that was started without standard input, output or error, as daemons are, the null device.

    Else the next file that is opened would have the number of the missing one, and be written to by whoever means that.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks is no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
