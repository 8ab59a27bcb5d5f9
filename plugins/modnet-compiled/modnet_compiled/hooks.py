"""The hook: the engine "compiled"."""

from __future__ import annotations

import modnet
from modnet.engine.delegation import Engine


@modnet.hookimpl
def modnet_engine(network: modnet.Network, name: str) -> Engine | None:
    """The compiled program of a network."""
    if name != "compiled":
        return None
    from modnet_compiled.engine import engine_of

    return engine_of(network)
