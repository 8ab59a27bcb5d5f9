"""Which format a name asks for: a model file of modnet, or a further one that a plugin writes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from modnet.engine.network import Network
from modnet.errors import ModelFileError
from modnet.plugins.registry import Registry
from modnet.words import did_you_mean, nearest, show

OWN = ".modnet"

KNOWN = {
    ".onnx": "modnet-onnx",
    ".safetensors": "modnet-torch",
}
"""Suffix -> the distribution that has an exporter for it, for messages."""

_FORMAT = re.compile(r"\.[a-z]\w*")
"""A suffix that names a format: in `iris.2024-05` and `iris-0.5` there is none."""

Options = Mapping[str, Any]


def is_own(path: Path) -> bool:
    """Whether a model file of modnet is meant: `m.modnet`, `m`, `m-0.5`, and `m.modnet.tmp`, which will be renamed."""
    return not _FORMAT.fullmatch(path.suffix.lower()) or OWN in map(str.lower, path.suffixes)


def formats(registry: Registry) -> dict[str, dict[str, str]]:
    """What the installed exporters write: suffix -> its options, each with what it takes."""
    found: dict[str, dict[str, str]] = {}
    for given in registry.hooks.hook.modnet_formats():
        found.update({suffix.lower(): dict(options) for suffix, options in given.items()})
    return found


def export(network: Network, path: Path, options: Options, registry: Registry) -> None:
    """Writes a network in a further format, by an installed plugin.

    Raises:
        ModelFileError: no plugin writes files with that suffix, or it has no such option.
    """
    check_options(path, options, registry)
    if not registry.hooks.hook.modnet_export(network=network, path=path, options=dict(options)):
        raise _unknown(path, registry)


def check_format(path: str | os.PathLike[str], registry: Registry) -> None:
    """Checks, before any work is done, that there is something that writes files with the suffix of this name.

    Raises:
        ModelFileError: there is nothing.
    """
    name = Path(path)
    if not is_own(name) and name.suffix.lower() not in formats(registry) and not _undeclared(registry):
        raise _unknown(name, registry)


def check_options(path: Path, options: Options, registry: Registry) -> None:
    """Checks the names of the options of a format; their values are the exporter's business.

    Raises:
        ModelFileError: there is no such option.
    """
    known = {} if is_own(path) else formats(registry).get(path.suffix.lower(), {})
    for name in options:
        if name not in known:
            what = f"{show(name)} is no option of {path.suffix or 'model'} files"
            there = ", ".join(f"{option} ({takes})" for option, takes in known.items())
            raise ModelFileError(path, f"{what}, which have {there or 'none'}{did_you_mean(name, known)}")


def _undeclared(registry: Registry) -> bool:
    """Whether a plugin has an exporter and does not say what for."""
    hook = registry.hooks.hook
    declared = {found.plugin_name for found in hook.modnet_formats.get_hookimpls()}
    return any(found.plugin_name not in declared for found in hook.modnet_export.get_hookimpls())


def _unknown(path: Path, registry: Registry) -> ModelFileError:
    suffix, written = path.suffix.lower(), formats(registry)
    what = f"no installed plugin writes {suffix} files"
    if suffix in KNOWN:
        return ModelFileError(path, f"{what}: pip install {KNOWN[suffix]}; {_possible(written)}")
    near = nearest(suffix, [OWN, *written])
    return ModelFileError(path, f"{what}; " + (f'did you mean "{near}"? ' if near else "") + _possible(written))


def _possible(written: Iterable[str]) -> str:
    further = ", ".join(sorted(written))
    return f"a model file ends in {OWN}" + (f", and other formats in {further}" if further else "")
