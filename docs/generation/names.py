"""The pages of the reference that describe the public names in Python."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import modnet
import modnet.testing
from generation.components import options_of
from generation.markdown import documentation, prose, table
from modnet.configuration.fields import Configuration
from modnet.kinds.component import Component

WIDTH = 100


def python_page() -> str:
    blocks = ["# The public names of `modnet`", "What `import modnet` gives.", *public_names(modnet)]
    # The rarer errors are not among the public names; the tree of all of them is what a reader wants.
    blocks += ["## All errors", "They are in `modnet.errors`.", f"```text\n{inspect.getdoc(modnet.errors)}\n```"]
    return "\n\n".join(blocks) + "\n"


def testing_page() -> str:
    about = prose(inspect.getdoc(modnet.testing) or "")
    return "\n\n".join(["# The public names of `modnet.testing`", about, *public_names(modnet.testing)]) + "\n"


def public_names(module: ModuleType) -> Iterator[str]:
    for name in module.__all__:
        value = getattr(module, name)
        yield f"## `{module.__name__}.{name}`"
        if inspect.isclass(value):
            yield from public_class(name, value)
        elif inspect.isfunction(inspect.unwrap(value)):
            yield signature(name, value)
            yield from documentation(value)
        else:
            package = type(value).__module__.partition(".")[0]
            yield f"A `{package}.{type(value).__name__}`: see [hooks](../plugins/advanced.md#hooks)."


def public_class(name: str, cls: type) -> Iterator[str]:
    bases = [base.__name__ for base in cls.__bases__ if base not in (object, Configuration)]
    heading = f"class {name}({', '.join(bases)})" if bases else f"class {name}"
    if issubclass(cls, Exception | Component) or cls is modnet.Network:
        yield f"```text\n{heading}\n```"
    elif not issubclass(cls, Configuration):
        yield signature(f"class {name}", cls)
    yield from documentation(cls)
    if issubclass(cls, Configuration) and cls.__fields__:
        yield options_of(cls)
    rows = [
        (f"`{member(name, value)}`", first_paragraph(cls, name))
        for name, value in vars(cls).items()
        if is_member(name, value)
    ]
    if rows:
        yield table(("member", "meaning"), rows)


def is_member(name: str, value: Any) -> bool:
    is_one = inspect.isfunction(value) or isinstance(value, classmethod | property)
    return is_one and not name.startswith("_")


def member(name: str, value: Any) -> str:
    """A method or property as it is used."""
    if isinstance(value, property):
        return name
    found = inspect.signature(value.__func__ if isinstance(value, classmethod) else value)
    return name + str(readable(found.replace(parameters=list(found.parameters.values())[1:])))


def first_paragraph(cls: type, name: str) -> str:
    """What a member is."""
    text = inspect.getdoc(getattr(cls, name)) or ""
    return prose(" ".join(text.partition("\n\n")[0].split()))


class Verbatim(str):
    """An annotation or a default that a signature shows as it was written."""

    def __repr__(self) -> str:
        return str(self)


def readable(found: inspect.Signature) -> inspect.Signature:
    """The signature with its annotations unquoted, without what begins with an underscore."""
    parameters = [
        parameter.replace(annotation=annotation(parameter.annotation), default=default(parameter.default))
        for parameter in found.parameters.values()
        if not parameter.name.startswith("_")
    ]
    return inspect.Signature(parameters, return_annotation=annotation(found.return_annotation))


def annotation(value: Any) -> Any:
    return Verbatim(value) if isinstance(value, str) else value


def default(value: Any) -> Any:
    return Verbatim("...") if repr(value) in ("<factory>", "MISSING") else value


def signature(name: str, value: Any) -> str:
    found = readable(inspect.signature(value))
    if inspect.isclass(value):
        found = found.replace(return_annotation=inspect.Signature.empty)
    text = f"{name}{found}"
    if len(text) > WIDTH:
        star = [p for p in found.parameters.values() if p.kind is p.KEYWORD_ONLY][:1]
        lines = []
        for parameter in found.parameters.values():
            lines += ["    *,"] if [parameter] == star else []
            lines.append(f"    {parameter},")
        returns = str(found.replace(parameters=()))[2:]
        text = "\n".join([f"{name}(", *lines, f"){returns}"])
    return f"```text\n{text}\n```"
