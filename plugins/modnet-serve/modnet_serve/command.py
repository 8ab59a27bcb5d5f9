"""The body of `modnet serve`."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click
from prometheus_client import disable_created_metrics

from modnet.cli.failures import FAILED, warn
from modnet.cli.output import echo
from modnet.words import counted
from modnet_serve.app import Server
from modnet_serve.metrics import Metrics
from modnet_serve.openapi import example_of
from modnet_serve.repository import Place, Repository, name_of
from modnet_serve.running import listening
from modnet_serve.running import run as run_server
from modnet_serve.settings import Settings

TOKEN = "MODNET_SERVE_TOKEN"
"""The variable of the environment with the token."""

LONGEST_EXAMPLE = 600
"""Characters of a row that the first lines still show."""


def run(models: tuple[str, ...], host: str, port: int, token_file: str | None, **limits: Any) -> int:
    """Serves until a signal comes, and gives the exit status."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s")
    settings = Settings(token=token_of(token_file), **limits)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a further series for each, of no use here
    metrics = Metrics()
    places = [place_of(model) for model in models]
    try:
        repository = Repository.load(places, settings.engine, metrics, lambda line: echo(line, err=True))
    except ValueError as error:
        if type(error) is ValueError:
            raise click.UsageError(str(error)) from None
        raise
    listener = listening(host, port)
    address = address_of(host, listener.getsockname()[1])
    if not is_loopback(host) and not settings.token:
        warn(
            f"{host} can be reached from other machines, and there is no token: everybody who reaches it can use and "
            "see the models"
        )
    server = Server(repository, settings, metrics)
    unanswered = run_server(server, listener, lambda: _greet(repository, settings, address))
    if not unanswered:
        echo("stopped: every request that had arrived was answered", err=True)
        return 0
    lost = f"{counted(unanswered, 'request')} {'was' if unanswered == 1 else 'were'}"
    echo(f"error: stopped at once: {lost} not answered", err=True)
    return FAILED


def place_of(model: str) -> Place:
    """A model file and its name, from `NAME=PATH` or a path.

    Raises:
        UsageError: the name cannot be part of an address.
    """
    name, equals, path = model.partition("=")
    if not equals or os.path.exists(model):
        return Place(name_of(model), os.path.expanduser(model))
    if not name or name_of(name) != name:
        raise click.UsageError(f'{model}: expected a name of letters, digits, "-", "_" and "." before =')
    return Place(name, os.path.expanduser(path))


def token_of(file: str | None) -> str:
    """The token that clients have to show, "" for none.

    Raises:
        UsageError: it is empty, or has characters that a header cannot have.
        OSError: the file cannot be read.
    """
    if file is None and TOKEN not in os.environ:
        return ""
    where = TOKEN if file is None else file
    token = (os.environ[TOKEN] if file is None else Path(file).expanduser().read_text("utf-8", "replace")).strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise click.UsageError(f"{where}: expected a token of visible ASCII characters, on one line")
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_of(host: str, port: int) -> str:
    """The address to try it at."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


def _greet(repository: Repository, settings: Settings, address: str) -> None:
    """Says what is served, where, and how to try it."""
    for served in repository.models:
        inputs = counted(len(served.inputs), "column" if served.columns else "input")
        echo(f"{served.name}, version {served.version}: {inputs} -> {', '.join(t.name for t in served.outputs[:8])}")
    name = repository.models[0].name
    example = json.dumps(example_of(repository.models[0]), ensure_ascii=False)
    if len(example) > LONGEST_EXAMPLE:
        example = "@row.json"
    token = " -H 'Authorization: Bearer TOKEN'" if settings.token else ""
    echo(f"listening at {address}: a page to try it; /docs, /v2, /metrics")
    echo(f"  curl{token} -d {shlex.quote(example)} {address}/predict/{name}")
    sys.stdout.flush()
