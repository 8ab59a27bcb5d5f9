"""From an address to a scheduler: a cluster that runs already, or one on this machine."""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, rpc
from distributed.security import Security

import modnet
from modnet.words import show
from modnet_dask.scheduler import DaskScheduler

TIMEOUT = 10.0
"""Seconds within which a scheduler has to answer."""

FORMS = "local, local:N for N workers, tcp://HOST:PORT, or a scheduler file FILE.json"

LOCAL = {"distributed.scheduler.allowed-failures": 1}
"""How a cluster on this machine is set up: no network loses its workers, so that two that ended are one too many."""


def scheduler_of(address: str) -> DaskScheduler:
    """The scheduler at an address.

    Raises:
        ModnetError: the address has another form, nothing answers there, or it is not a scheduler that does.
    """
    _silence()
    if address.partition(":")[0] == "local":
        return _local(address)
    if address.endswith(".json"):
        address = _address_in(Path(address))
    dask.config.set({"distributed.comm.timeouts.connect": f"{TIMEOUT}s"})
    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has its own loop
            found = thread.submit(asyncio.run, asyncio.wait_for(_identity(address), TIMEOUT)).result()
        if found.get("type") != "Scheduler":
            raise modnet.ModnetError(
                f"{address}: expected a scheduler, found a {str(found.get('type')).lower()} of dask"
            )
        return DaskScheduler(Client(address, timeout=TIMEOUT), owned=True)
    except (OSError, TimeoutError, ValueError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise modnet.ModnetError(
            f"no scheduler of dask answers at {address} within {TIMEOUT:g} s{reason and f' ({reason})'}; "
            "is it running there?  dask scheduler"
        ) from error


async def _identity(address: str) -> dict[str, Any]:
    """What a dask server says about itself. A client would wait for ever if another program listens at the address."""
    async with rpc(address, timeout=TIMEOUT, connection_args=Security().get_connection_args("client")) as server:
        return dict(await server.identity())


def _address_in(path: Path) -> str:
    """The address in a scheduler file, `dask scheduler --scheduler-file FILE.json`."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["address"])
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise modnet.ModnetError(f"{path}: this scheduler file cannot be read: {reason}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise modnet.ModnetError(f"{path}: this is not a scheduler file: it has no address") from error


def _local(address: str) -> DaskScheduler:
    """Workers on this machine, a process each: as many as the process has cores."""
    _, sign, text = address.partition(":")
    if sign and not (text.isascii() and text.isdigit() and int(text)):
        raise modnet.ModnetError(f"the scheduler {show(address)}: expected {FORMS}")
    with dask.config.set(LOCAL):
        cluster = LocalCluster(
            n_workers=int(text) if sign else CPU_COUNT,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            preload="modnet_dask.local_worker",
        )
        return DaskScheduler(Client(cluster), cluster, owned=True)


def _silence() -> None:
    """Keeps dask from logging: what matters is told by exceptions."""
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)
