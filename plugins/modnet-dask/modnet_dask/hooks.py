"""The hook: dask's schedulers for `modnet predict --scheduler` and `modnet search --scheduler`."""

from __future__ import annotations

from typing import Any

import modnet

SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")
"""The protocols of dask."""


@modnet.hookimpl
def modnet_scheduler(address: str) -> Any:
    """A cluster on this machine for `local` and `local:N`; the one at `tcp://HOST:PORT`, or of a scheduler file."""
    scheme, sign, _ = address.partition("://")
    if address.partition(":")[0] == "local" or (sign and scheme in SCHEMES) or address.endswith(".json"):
        from modnet_dask.connecting import scheduler_of  # it imports dask, which only this needs

        return scheduler_of(address)
    return None
