"""From an address to a scheduler: a cluster that runs already, or one on this machine."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster

import modnet
from modnet.words import show
from modnet_dask.scheduler import DaskScheduler

TIMEOUT = 5.0
"""Seconds within which a scheduler has to answer."""

FORMS = "local, local:N for N workers, tcp://HOST:PORT, or a scheduler file FILE.json"

LOCAL = {
    "distributed.scheduler.allowed-failures": 1,
    "distributed.comm.timeouts.connect": "5s",
}
"""How a cluster on this machine is set up: no network loses its workers, so that two that ended are one too many."""


def scheduler_of(address: str) -> DaskScheduler:
    """The scheduler at an address.

    Raises:
        ModnetError: the address has another form, nothing answers there, or it answers as something else.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters of it is told by exceptions
    if address.partition(":")[0] == "local":
        return _local(address)
    given: dict[str, Any] = {"address": address}
    if address.endswith(".json"):
        if not Path(address).is_file():
            raise modnet.ModnetError(f"{address}: there is no such scheduler file; expected {FORMS}")
        given = {"scheduler_file": address}
    dask.config.set({"distributed.comm.timeouts.connect": f"{TIMEOUT}s"})
    try:
        return DaskScheduler(Client(**given, timeout=TIMEOUT), owned=True)
    except (OSError, TimeoutError, ValueError, RuntimeError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise modnet.ModnetError(
            f"no scheduler of dask answers at {address} ({reason}); is it running there?  dask scheduler"
        ) from error


def _local(address: str) -> DaskScheduler:
    """Workers on this machine, a process each: so many as the process has cores."""
    _, sign, text = address.partition(":")
    if sign and not (text.isascii() and text.isdigit() and int(text)):
        raise modnet.ModnetError(f"the scheduler {show(address)}: expected {FORMS}")
    with dask.config.set(LOCAL):
        cluster = LocalCluster(
            n_workers=int(text) if sign else CPU_COUNT,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
        return DaskScheduler(Client(cluster), cluster, owned=True)
