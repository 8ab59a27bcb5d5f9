"""Running a server until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Callable

import uvicorn

from modnet_serve.app import Server

GRACE = 5.0
"""Seconds beyond the time limit of a request that an ending server gives its clients to take their answers."""


PARTING = 0.5
"""Seconds from the signal until idle connections are closed: answers until then tell busy clients that they are the
last, so that none sends a request into a connection that is being closed."""

KEPT = 75
"""Seconds that a connection without requests stays open: longer than proxies keep theirs, so that none is used while it
is being closed."""


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: the address cannot be used; its `filename` is the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        what = "address already in use; choose another --port" if taken else error.strerror or str(error)
        raise OSError(error.errno, what, f"{host}:{port}") from None


def run(server: Server, listener: socket.socket, ready: Callable[[], None]) -> int:
    """Answers until SIGTERM or SIGINT: then no more connections are taken, and what was asked is still answered.

    A second signal ends it at once. SIGHUP has it look at the model files now.

    Args:
        ready: is called when it answers.

    Returns:
        How many requests were not answered.
    """
    config = uvicorn.Config(
        server.app,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_keep_alive=KEPT,
        timeout_graceful_shutdown=int(server.settings.seconds + GRACE),
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        cut_off = runner.run(_serve(uvicorn.Server(config), server, listener, ready))
    return cut_off or server.app.cancelled


def _listen_to_signals(loop: asyncio.AbstractEventLoop, end: Callable[[], None], look: Callable[[], None]) -> None:
    """Lets signals call functions in the loop."""
    for name, action in {"SIGTERM": end, "SIGINT": end, "SIGBREAK": end, "SIGHUP": look}.items():
        number = getattr(signal, name, None)  # Windows has no SIGHUP, and it alone has SIGBREAK
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, action)
        except NotImplementedError:  # on Windows
            signal.signal(number, lambda *_, action=action: loop.call_soon_threadsafe(action))


async def _serve(http: uvicorn.Server, server: Server, listener: socket.socket, ready: Callable[[], None]) -> int:
    """Runs until a signal ends it, and gives how many requests a second signal has cut off."""
    cut_off = 0
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    while not http.started and not serving.done():
        await asyncio.sleep(0.01)
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def stop() -> None:
        http.should_exit = True

    def end() -> None:
        nonlocal cut_off
        if server.ending:
            cut_off = server.app.open
            http.force_exit = http.should_exit = True
            for connection in list(http.server_state.connections):
                connection.transport.abort()
            return
        server.ending = True
        for listening in http.servers:
            listening.close()
        loop.call_later(PARTING, stop)

    def look() -> None:
        task = loop.create_task(server.repository.refresh())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # uvicorn's own handlers would raise the signal again when all is done, and the exit status would not be 0.
    _listen_to_signals(loop, end, look)
    if http.started:
        ready()
    await serving
    return cut_off
