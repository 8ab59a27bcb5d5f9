"""The hooks: `.onnx` files are written and read, each by its part of the package, imported only for such files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import modnet
from modnet.engine.delegation import Engine

SUFFIX = ".onnx"


@modnet.hookimpl
def modnet_formats() -> Mapping[str, Mapping[str, str]]:
    """ONNX, with its options."""
    from modnet_onnx.exporting.model import OPTIONS

    return {SUFFIX: OPTIONS}


@modnet.hookimpl
def modnet_export(network: modnet.Network, path: Path, options: Mapping[str, Any]) -> bool | None:
    """Writes an ONNX model."""
    if path.suffix.lower() != SUFFIX:
        return None
    from modnet_onnx.exporting.file import write

    write(network, path, options)
    return True


@modnet.hookimpl
def modnet_import(path: Path) -> modnet.Network | None:
    """The network of an ONNX model."""
    if path.suffix.lower() != SUFFIX:
        return None
    from modnet_onnx.importing.reading import read_network

    return read_network(path)


@modnet.hookimpl
def modnet_engine(network: modnet.Network, name: str) -> Engine | None:
    """onnxruntime."""
    if name != "onnxruntime":
        return None
    from modnet_onnx.runtime import engine_of

    return engine_of(network)
