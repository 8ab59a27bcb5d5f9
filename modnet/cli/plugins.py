"""The body of `modnet plugins`."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import modnet
from modnet.cli.output import echo_json, room, tell
from modnet.errors import BrokenPlugin
from modnet.kinds import GROUPS
from modnet.plugins.builtin import BUILTIN, CORE
from modnet.plugins.hooks import HookModule
from modnet.plugins.kernels import SWITCH
from modnet.plugins.registry import Origin, Registry, default_registry
from modnet.screen import folded, short
from modnet.words import in_columns


@dataclass
class Offered:
    """One thing that a plugin offers."""

    kind: str
    type: str
    version: int | None
    plugin: str
    source: str
    remark: str = ""
    error: BrokenPlugin | None = None
    seconds: float | None = None

    @property
    def is_builtin(self) -> bool:
        return self.plugin.startswith(f"{CORE} ")

    def plain(self) -> dict[str, Any]:
        """What `--json` prints."""
        told = {"kind": self.kind, "type": self.type, "version": self.version, "plugin": self.plugin}
        return {**told, "seconds": self.seconds, "from": self.source, "error": self.remark or None}


def run(everything: bool, errors: bool, times: bool, as_json: bool) -> None:
    rows = list(offered(default_registry()))
    chosen = [row for row in rows if (everything or not row.is_builtin) and (row.error or not errors)]
    if times:
        chosen.sort(key=lambda row: -(row.seconds or 0.0))
    if as_json:
        echo_json([row.plain() for row in chosen])
    elif errors:
        _tracebacks(chosen)
    else:
        _table(chosen, len(rows) - len(chosen), times)


def offered(registry: Registry) -> Iterator[Offered]:
    """What plugins and the core offer; each is imported, to see whether that works."""
    yield from _component_rows(registry)
    yield from _kernel_rows(registry)
    yield from map(_hook_row, registry.hook_modules)
    for point, fault in registry.strays:
        plugin = f"{point.dist.name} {point.dist.version}" if point.dist else ""
        error = BrokenPlugin(fault)
        yield Offered("entry point", point.name, None, plugin, point.value, _reason(error, ""), error)


def _component_rows(registry: Registry) -> Iterator[Offered]:
    for entry in registry.entries():
        origin = entry.origin
        version = modnet.__version__ if origin.distribution == CORE else origin.version
        row = Offered(origin.kind, origin.type, None, f"{origin.distribution} {version}".strip(), origin.value)
        row.remark = _rivals(registry, origin)
        began = time.perf_counter()
        try:
            row.version = entry.load().version
        except BrokenPlugin as error:
            row.error, row.remark = error, _reason(error, entry.label)
        row.seconds = time.perf_counter() - began
        yield row


def _rivals(registry: Registry, origin: Origin) -> str:
    """Which others offer a component of the same name, and how a spec selects this one."""
    offered = registry.installed.get((origin.kind, origin.type), [])
    rivals = sorted(entry.origin.distribution for entry in offered)
    if origin.distribution not in rivals:  # the core's, or the program's own
        return ""
    chosen = f"write {origin.type}@{origin.distribution}"
    if origin.type in BUILTIN[GROUPS[origin.kind]]:
        return f"the core has one with that name; {chosen}"
    return f"{len(rivals)} plugins offer it: {', '.join(rivals)}; {chosen}" if len(rivals) > 1 else ""


def _hook_row(module: HookModule) -> Offered:
    source = f"{module.value}: {', '.join(module.hooks)}" if module.hooks else module.value
    row = Offered("hooks", module.name, None, f"{module.distribution} {module.version}".strip(), source)
    row.seconds = module.seconds
    if module.error:
        row.error, row.remark = module.error, _reason(module.error, module.label)
    return row


def _reason(error: BrokenPlugin, label: str) -> str:
    """Why something is broken, in one line, without the text of the other columns."""
    text = str(error).removeprefix(label).removeprefix(" cannot be imported").lstrip(": ")
    return f"broken: {' '.join(text.split())}"


def _kernel_rows(registry: Registry) -> Iterator[Offered]:
    seen = set()
    for entry_point in registry.kernels.offered:
        found = entry_point.dist
        plugin = f"{found.name} {found.version}" if found else ""
        row = Offered("kernel", entry_point.name, None, plugin, entry_point.value)
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


def _tracebacks(rows: Sequence[Offered]) -> None:
    for row in rows:
        tell(f"{row.kind} {row.type} of {row.plugin or 'a plugin'} ({row.source})")
        # Only an error of the plugin's own code has a traceback that helps.
        cause = row.error and row.error.__cause__
        tell("".join(traceback.format_exception(cause)) if cause else f"{row.remark}\n")
    if not rows:
        tell("nothing is broken")


def _table(rows: list[Offered], hidden: int, times: bool) -> None:
    if rows:
        table = [["kind", "type", "version", "plugin", *["import"] * times, "from"]]
        for row in rows:
            cells = [row.kind, row.type, str(row.version or ""), row.plugin, *[_time(row)] * times]
            table.append([*cells, row.remark or row.source])
        lines, width = in_columns(table, left=len(table[0])), room()
        if width is not None and max(map(len, lines)) > width:
            lines = list(_by_plugin(rows, times, width))
        tell("\n".join(lines))
        if any(row.error for row in rows):
            tell("modnet plugins --errors shows what is broken with its traceback")
    else:
        tell("no plugin is installed")
    if hidden:
        tell(f"builtin: {hidden} components (modnet plugins --all)")


def _time(row: Offered) -> str:
    return "" if row.seconds is None else f"{1000 * row.seconds:.1f} ms"


def _by_plugin(rows: Sequence[Offered], times: bool, width: int) -> Iterator[str]:
    """What each plugin offers, for a narrow terminal: only what is broken has a remark."""
    kinds = max(len(row.kind) for row in rows)
    for plugin, own in groupby(sorted(rows, key=attrgetter("plugin")), attrgetter("plugin")):
        yield plugin or "a plugin"
        for row in own:
            yield _narrow_line(row, kinds, times, width)
            if row.remark:
                yield folded(f"    {row.remark}", width)


def _narrow_line(row: Offered, kinds: int, times: bool, width: int) -> str:
    time = f"  {_time(row):>9}" if times else ""
    space = width - kinds - len(time) - 4
    return f"  {row.kind:<{kinds}}  {short(row.type, space):<{space if times else 0}}{time}"
