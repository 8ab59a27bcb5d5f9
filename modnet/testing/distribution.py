"""The components that an installed distribution offers, and what comes of examining each."""

from __future__ import annotations

from modnet.configuration import nearest
from modnet.errors import BrokenPlugin, ModnetError, NotInstalled
from modnet.registry import Entry, Registry, normalized
from modnet.testing.contract import Report, Row, examine, raised
from modnet.testing.examples import examples_of


def offered_by(distribution: str, registry: Registry) -> list[Entry]:
    """The components that a distribution offers; none for one that has only hooks or kernels.

    Raises:
        NotInstalled: it is not installed; the message has the nearest name among those that offer components.
    """
    entries = list(registry.entries())
    found = [entry for entry in entries if normalized(entry.origin.distribution) == normalized(distribution)]
    if not found and not _is_installed(distribution):
        # The prefix that they share would make all of them near.
        stems = {_stem(name): name for entry in entries if (name := entry.origin.distribution)}
        near = nearest(_stem(distribution), stems)
        hint = f'did you mean "{stems[near]}"?' if near else f"with components there are: {', '.join(stems.values())}"
        raise NotInstalled(f"{distribution} is not installed; {hint}", distribution)
    return found


def _stem(distribution: str) -> str:
    return normalized(distribution).removeprefix("modnet-")


def _is_installed(distribution: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

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
        remedy = "The entry point names package.module:Class, and the module has to be one that can be imported."
        text = raised(error.__cause__) if error.__cause__ else str(error)
        return [_unexamined(entry, "imports", text, remedy)]
    try:
        examples = examples_of(cls)
    except ModnetError as error:
        remedy = "Override the classmethod examples: return (Example(cls(size=3), ((4,),)),)."
        return [_unexamined(entry, "examples", str(error), remedy)]
    except Exception as error:
        return [_unexamined(entry, "examples", raised(error), f"{origin.value}: examples() has to give uses of it.")]
    return [examine(example.component, *example.input_shapes) for example in examples]


def _unexamined(entry: Entry, rule: str, text: str, remedy: str) -> Report:
    origin = entry.origin
    return Report(f"{origin.kind} {origin.type}", origin.kind, origin.type, (Row(rule, "failed", text, remedy),))
