"""What an installed distribution offers, and what comes of examining each: components, kernels, modules with hooks."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from modnet.errors import BrokenPlugin, DataError, ModnetError, NotInstalled, PluginError
from modnet.kinds import KINDS
from modnet.kinds.component import Example
from modnet.plugins.distributions import normalized
from modnet.plugins.hooks import HookModule
from modnet.plugins.registry import Entry, Registry
from modnet.testing.contract import KERNEL, ContractError, Report, Row, examine, examine_kernel, raised
from modnet.testing.examples import examples_of
from modnet.testing.files import examine_files
from modnet.words import nearest, show

HOOKS, FILE, STRAY = "hooks", "file", "entry point"

FILES = "tests/files"
"""The folder with old model files of a plugin, which every later version must be able to read."""


@dataclass(frozen=True)
class Offer:
    """One thing that a distribution offers.

    Attributes:
        distribution: its name.
        kind: a component's, "kernel", "hooks", "file", or "entry point" for one in a group that modnet does not read.
        name: a component's type, a kernel's KIND.TYPE.METHOD, a hook module's entry point, an old model file's name.
        examine: gives one report for each use that it was tried in, or one that says why there are none.
    """

    distribution: str
    kind: str
    name: str
    examine: Callable[[], list[Report]]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def check(self) -> None:
        """Examines it.

        Raises:
            ContractError: rules broke.
        """
        broken = [report for report in self.examine() if report.failures]
        if broken:
            raise ContractError(broken)


def offered_by(distribution: str, registry: Registry) -> list[Offer]:
    """What a distribution offers; nothing for one that is no plugin.

    Raises:
        NotInstalled: it is not installed; the message has the nearest name among those that offer components.
    """
    entries = list(registry.entries())
    found = list(_offers(normalized(distribution), entries, registry))
    if found:
        found += _old_files(found[0].distribution, registry)
    if not found and not _is_installed(distribution):
        # The prefix that they share would make all of them near.
        stems = {_stem(name): name for entry in entries if (name := entry.origin.distribution)}
        near = nearest(_stem(distribution), stems)
        hint = (
            f'did you mean "{stems[near]}"?'
            if near
            else f"installed plugins with components: {', '.join(stems.values())}"
        )
        raise NotInstalled(f"{distribution} is not installed; {hint}", distribution)
    return found


def _offers(distribution: str, entries: list[Entry], registry: Registry) -> Iterator[Offer]:
    for entry in entries:
        origin = entry.origin
        if normalized(origin.distribution) == distribution:
            yield Offer(origin.distribution, origin.kind, origin.type, partial(examine_entry, entry))
    for point in registry.kernels.offered:
        if point.dist is not None and normalized(point.dist.name) == distribution:
            yield Offer(point.dist.name, KERNEL, point.name, partial(examine_kernel_entry, point, registry))
    for module in registry.hook_modules:
        if normalized(module.distribution) == distribution:
            yield Offer(module.distribution, HOOKS, module.name, partial(examine_hooks, module))
    yield from _strays(distribution, registry)


def _strays(distribution: str, registry: Registry) -> Iterator[Offer]:
    for point, fault in registry.strays:
        if point.dist is not None and normalized(point.dist.name) == distribution:
            yield Offer(point.dist.name, STRAY, point.name, partial(_stray, point.name, fault))


def _stray(name: str, fault: str) -> list[Report]:
    remedy = "Correct the name of the group in pyproject.toml, and install the distribution again."
    return [_unexamined(STRAY, name, "offered", fault, remedy)]


def _stem(distribution: str) -> str:
    return normalized(distribution).removeprefix("modnet-")


def _old_files(distribution: str, registry: Registry) -> Iterator[Offer]:
    """The old model files in the tests of a distribution that is installed from a folder, as by `pip install -e`."""
    source = json.loads(importlib.metadata.distribution(distribution).read_text("direct_url.json") or "{}")
    url = urlparse(source.get("url", ""))
    folder = Path(url2pathname(url.path)) / FILES if url.scheme == "file" else None
    for path in sorted(folder.rglob("*.modnet")) if folder is not None and folder.is_dir() else ():
        yield Offer(distribution, FILE, path.name, partial(examine_files, path, registry=registry))


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except (PackageNotFoundError, ValueError):
        return False
    return True


def examine_entry(entry: Entry) -> list[Report]:
    """One report for each example of a component, or one that says why there are none."""
    origin = entry.origin
    try:
        cls = entry.load()
    except BrokenPlugin as error:
        text = raised(error.__cause__) if error.__cause__ else str(error)
        remedy = "The value of the entry point is package.module:Class, and the module must be importable."
        if not error.__cause__:
            remedy = "The entry point must name a class of the kind of its group, by the class's own type name."
        return [_unexamined(origin.kind, origin.type, "imports", text, remedy)]
    try:
        examples = examples_of(cls)
    except ModnetError as error:
        remedy = "Override the classmethod examples: return (Example(cls(size=3), ((4,),)),)."
        return [_unexamined(origin.kind, origin.type, "examples", str(error), remedy)]
    except Exception as error:
        remedy = (
            f"{origin.value}: examples() must return Examples of the component and must not raise an error. Where it "
            "gives none, output_shape, parameters and expand are tried with some shapes, one for each of `inputs`; "
            "they may raise ShapeError."
        )
        return [_unexamined(origin.kind, origin.type, "examples", raised(error), remedy)]
    return [_examined(example, origin.kind, origin.type) for example in examples]


def _examined(example: Example, kind: str, name: str) -> Report:
    try:
        return examine(example)
    except DataError as error:
        remedy = "data is (x, y), arrays with the same number of rows, or a function of an rng that returns them."
        return _unexamined(kind, name, "examples", str(error), remedy)
    except Exception as error:  # one component must not keep the others from being examined
        remedy = "Run modnet.testing.check_component on it in a test, for the traceback."
        return _unexamined(kind, name, "examined", raised(error), remedy)


def examine_kernel_entry(point: EntryPoint, registry: Registry) -> list[Report]:
    """One report for each example of the component that a kernel serves, or one that says why there are none."""
    kind, _, rest = point.name.partition(".")
    name, _, method = rest.partition(".")
    if kind not in KINDS or not method:
        text = f"the entry point is named {show(point.name)}"
        return [_unexamined(KERNEL, point.name, "offered", text, "Name the entry point KIND.TYPE.METHOD.")]
    try:
        maker: Any = point.load()
    except Exception as error:
        remedy = (
            f"The value of the entry point, {point.value}, must be package.module:function, and the module must "
            "be importable."
        )
        return [_unexamined(KERNEL, point.name, "imports", raised(error), remedy)]
    try:
        examples = examples_of(registry.find(KINDS[kind], name))
    except PluginError as error:
        return [
            _unexamined(KERNEL, point.name, "offered", str(error), "Name an existing component in the entry point.")
        ]
    return [examine_kernel(maker, example, method) for example in examples]


def examine_hooks(module: HookModule) -> list[Report]:
    """Whether a module with hooks can be imported and implements existing hooks."""
    if module.error is None:
        row = Row("imports", "passed", ", ".join(module.hooks))
        return [Report(module.label, HOOKS, module.name, (row,))]
    error = module.error
    text = raised(error.__cause__) if error.__cause__ else str(error)
    remedy = (
        "The module must be importable, and its functions must have the names and arguments that "
        "modnet.hookspecs declares."
    )
    return [_unexamined(HOOKS, module.name, "imports", text, remedy)]


def _unexamined(kind: str, name: str, rule: str, text: str, remedy: str) -> Report:
    return Report(f"{kind} {name}", kind, name, (Row(rule, "failed", text, remedy),))
