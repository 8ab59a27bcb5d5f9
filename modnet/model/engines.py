"""Engines of plugins, which compute predictions in place of modnet's own layers."""

from __future__ import annotations

from modnet.engine.delegation import DelegatedPass
from modnet.engine.network import Network
from modnet.errors import NotInstalled
from modnet.plugins.registry import Registry
from modnet.words import nearest, show

KNOWN = {"compiled": "modnet-compiled", "onnxruntime": "modnet-onnx[runtime]"}
"""Engine -> what installs it, for messages."""


def use_engine(network: Network, name: str, registry: Registry) -> None:
    """Lets the engine of a plugin compute the predictions of a network, whose parameters then cannot be changed.

    Raises:
        NotInstalled: no installed plugin has an engine of that name.
        ModnetError: from the plugin, for a network that it cannot run.
    """
    engine = registry.hooks.hook.modnet_engine(network=network, name=name)
    if engine is None:
        near = nearest(name, KNOWN)
        known = [near] if near else list(KNOWN)
        there = " and ".join(f"{show(each)} comes with pip install '{KNOWN[each]}'" for each in known)
        raise NotInstalled(f"no installed plugin has the engine {show(name)}; {there}", KNOWN[known[0]])
    network.predict_by(lambda: DelegatedPass(network, engine, name))
