"""The body of `modnet plugins`."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

import modnet
from modnet.cli.output import echo, echo_json
from modnet.errors import BrokenPlugin
from modnet.plugins.builtin import CORE
from modnet.plugins.kernels import SWITCH
from modnet.plugins.registry import Registry, default_registry
from modnet.words import in_columns


@dataclass
class Row:
    """One thing that a plugin offers."""

    kind: str
    type: str
    version: int | None
    plugin: str
    source: str
    remark: str = ""
    error: BrokenPlugin | None = None
    seconds: float | None = None


def run(everything: bool, errors: bool, times: bool, as_json: bool) -> None:
    rows = list(_rows(default_registry()))
    chosen = [row for row in rows if everything or not row.plugin.startswith(f"{CORE} ")]
    if errors:
        chosen = [row for row in chosen if row.error]
    if times:
        chosen.sort(key=lambda row: -(row.seconds or 0.0))
    if as_json:
        keys = ("kind", "type", "version", "plugin", "seconds")
        echo_json(
            [{**{k: getattr(row, k) for k in keys}, "from": row.source, "error": row.remark or None} for row in chosen]
        )
    elif errors:
        for row in chosen:
            echo(f"{row.kind} {row.type} of {row.plugin or 'a plugin'} ({row.source})")
            echo("".join(traceback.format_exception((row.error and row.error.__cause__) or row.error)))
        if not chosen:
            echo("nothing is broken")
    else:
        _table(chosen, len(rows) - len(chosen), times)


def _rows(registry: Registry) -> Iterator[Row]:
    entries = list(registry.entries())
    builtin = {(e.origin.kind, e.origin.type) for e in entries if e.origin.distribution == CORE}
    for entry in entries:
        origin = entry.origin
        version = modnet.__version__ if origin.distribution == CORE else origin.version
        row = Row(origin.kind, origin.type, None, f"{origin.distribution} {version}".strip(), origin.value)
        key = (origin.kind, origin.type)
        rivals = [e.origin.distribution for e in registry.installed.get(key, [])]
        chosen = f"write {origin.type}@{origin.distribution}"
        if key in builtin and origin.distribution != CORE:
            row.remark = f"the core has one of that name; {chosen}"
        elif len(rivals) > 1 and origin.distribution in rivals:
            row.remark = f"{len(rivals)} plugins offer it: {', '.join(sorted(rivals))}; {chosen}"
        began = time.perf_counter()
        try:
            row.version = entry.load().version
        except BrokenPlugin as error:
            row.error, row.remark = error, _reason(error, entry.label)
        row.seconds = time.perf_counter() - began
        yield row
    yield from _kernel_rows(registry)
    for module in registry.hook_modules:
        source = f"{module.value}: {', '.join(module.hooks)}" if module.hooks else module.value
        row = Row("hooks", module.name, None, f"{module.distribution} {module.version}".strip(), source)
        row.seconds = module.seconds
        if module.error:
            row.error, row.remark = module.error, _reason(module.error, module.label)
        yield row


def _reason(error: BrokenPlugin, label: str) -> str:
    """Why something is broken, in one line, without what the other columns say."""
    text = str(error).removeprefix(label).removeprefix(" cannot be imported").lstrip(": ")
    return f"broken: {' '.join(text.split())}"


def _kernel_rows(registry: Registry) -> Iterator[Row]:
    seen = set()
    for entry_point in registry.kernels.offered:
        found = entry_point.dist
        plugin = f"{found.name} {found.version}" if found else ""
        row = Row("kernel", entry_point.name, None, plugin, entry_point.value)
        began = time.perf_counter()
        if registry.kernels.load(entry_point) is None:
            row.error = registry.kernels.broken[entry_point.name]
            cause = row.error.__cause__
            row.remark = f"broken: {type(cause).__name__}: {cause}"
        elif entry_point.name in seen:
            row.remark = "another plugin's kernel of that name is used"
        elif os.environ.get(SWITCH) == "off":
            row.remark = f"not used: {SWITCH}=off"
        seen.add(entry_point.name)
        row.seconds = time.perf_counter() - began
        yield row


def _table(rows: list[Row], hidden: int, times: bool) -> None:
    if rows:
        table = [["kind", "type", "version", "plugin", *["import"] * times, "from"]]
        for row in rows:
            seconds = "" if row.seconds is None else f"{1000 * row.seconds:.1f} ms"
            cells = [row.kind, row.type, str(row.version or ""), row.plugin, *[seconds] * times]
            table.append([*cells, row.remark or row.source])
        echo("\n".join(in_columns(table, left=len(table[0]))))
        if any(row.error for row in rows):
            echo("modnet plugins --errors shows what is broken with its traceback")
    else:
        echo("no plugin is installed")
    if hidden:
        echo(f"builtin: {hidden} components (modnet plugins --all)")
