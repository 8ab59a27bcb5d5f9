"""What `modnet serve` takes, and what its help says."""

from __future__ import annotations

from typing import Any

import click


@click.command("serve", short_help="Serve models over HTTP.")
@click.argument("models", nargs=-1, required=True, metavar="[NAME=]MODEL...")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 for any free one.")
@click.option("--engine", metavar="NAME", help="The engine that computes: modnet's own layers, onnxruntime, ...")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Requests computed at once.")
@click.option(
    "--batch-rows",
    type=click.IntRange(0, 65536),
    default=0,
    metavar="ROWS",
    help="Compute up to so many rows of requests that wait together as one batch: faster for large networks, and "
    "answers then agree to rounding. By default each request is computed by itself, to the same bytes.",
)
@click.option("--most-waiting", type=click.IntRange(1), default=1024, show_default=True, help="Requests that may wait.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="That a request may take.",
)
@click.option("--most-bytes", type=click.IntRange(1), default=64 << 20, show_default=True, help="That a body may have.")
@click.option(
    "--most-rows", type=click.IntRange(1), default=100_000, show_default=True, help="That a request may have."
)
@click.option(
    "--token-file",
    type=click.Path(),
    metavar="FILE",
    help="A file with the token that clients must send; by default the token is MODNET_SERVE_TOKEN of the environment.",
)
def serve(**options: Any) -> None:
    """Serve MODELs over HTTP until Ctrl-C or SIGTERM.

    They answer by the Open Inference Protocol (version 2) under /v2, and for records as JSON under /predict; / is a
    page on which one tries them, /docs describes all addresses, /metrics is for Prometheus. A model is called as
    its file, unless NAME= says otherwise; its version is that in its metadata, or a number. A file that is replaced
    is loaded and takes its place; if it is damaged, the previous model continues to serve.

    \b
    Example:
      modnet serve penguins.modnet
      curl -d '{"flipper_length_mm": 215, ...}' http://127.0.0.1:8000/predict
    """
    # Not at the top: the help needs nothing of the server.
    from modnet_serve.command import run

    click.get_current_context().exit(run(**options))
