"""The JSON Schema of a spec, made from the classes into which a spec is read."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterable, Mapping
from inspect import cleandoc
from typing import Any, Literal, Union, get_args, get_origin
from urllib.parse import quote

from modnet.configuration.fields import Configuration, Field, plain
from modnet.errors import PluginError
from modnet.kinds import KINDS
from modnet.kinds.component import Component, Use
from modnet.plugins.builtin import CORE
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.model import Spec

DRAFT = "https://json-schema.org/draft/2020-12/schema"

TYPES = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
    list: "array",
    dict: "object",
}

DOCUMENTED_FIELD = re.compile(r"^ {4}(\w+(?:, \w+)*): (.+(?:\n {5,}.+)*)", re.MULTILINE)


def json_schema(registry: Registry | None = None) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a whole spec, with every component that is on offer.

    It accepts what `read_spec` accepts of a spec as plain values, as far as one value by itself tells. A plugin's
    component goes by its bare name, where that is nobody else's, and by `name@distribution`. One that cannot be
    imported is left out, since a spec that names it cannot be read.

    Beyond a schema, and left to `read_spec`, `build` and `train`:

    - what concerns several fields (`Configuration.check`), an empty list of layers among it;
    - the graph: names, inputs, shapes; whether the files and columns of `[data]` exist;
    - 1.0 for a whole number, which to JSON is the same as 1; nan, infinity and numbers too large for a float64, which
      JSON does not have;
    - tables and lists more than 64 levels deep.

    Refused by the schema although `read_spec` takes them: `linear@modnet-core`, and a distribution's name in another
    spelling than its own (`gate@Modnet_Gates`).

    Args:
        registry: what is on offer; all of it is imported.
    """
    builder = _Builder(registry or default_registry())
    schema = builder.table(Spec)
    schema["properties"]["$schema"] = {"description": "where an editor finds this schema; not read"}
    return {"$schema": DRAFT, "title": "modnet spec", **schema, "$defs": dict(sorted(builder.definitions.items()))}


class _Builder:
    """Makes schemas; what is used at several places, or holds itself, becomes one of `definitions`."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.definitions: dict[str, Any] = {}

    def table(self, cls: type[Configuration]) -> dict[str, Any]:
        """A table with the fields of `cls`."""
        return _closed(cls, self.fields(cls, cls.__fields__), cls.__fields__.values())

    def component(self, cls: type[Component], names: list[str], use: type[Use] | None) -> dict[str, Any]:
        """A table with `type`, the fields of a component, and the options of its place."""
        declared = {name: use.__fields__[name] for name in use.options() if name not in cls.__fields__} if use else {}
        properties = {
            "type": {"description": _summary(cls), "enum": names},
            **self.fields(cls, cls.__fields__),
            **(self.fields(use, declared) if use else {}),
        }
        schema = _closed(cls, properties, [*cls.__fields__.values(), *declared.values()])
        return {**schema, "required": ["type", *schema["required"]]}

    def fields(self, cls: type[Configuration], names: Iterable[str]) -> dict[str, Any]:
        """Field name -> schema, with description and default."""
        hints, texts = cls.hints(), field_texts(cls)
        properties = {}
        for name in names:
            declared = cls.__fields__[name]
            properties[name] = {
                **({"description": texts[name]} if name in texts else {}),
                **self.value(hints[name], declared),
                **_default(declared),
            }
        return properties

    def value(self, hint: Any, declared: Field) -> dict[str, Any]:
        """What `Checker.value` accepts for a type hint."""
        origin, arguments = get_origin(hint), get_args(hint)
        if hint is Any:
            return {}
        if hint in (int, float):
            return {"type": TYPES[hint], **_bounds(declared)}
        if hint in TYPES:
            return {"type": TYPES[hint]}
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in (Union, types.UnionType):
            return self.union(arguments, declared)
        if origin is tuple and arguments[1:] == (Ellipsis,):
            return {"type": "array", "items": self.value(arguments[0], declared)}
        if origin is tuple:
            items = [self.value(part, declared) for part in arguments]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.value(arguments[1], declared)}
        if isinstance(hint, type) and issubclass(hint, Configuration):
            return self.reference(hint)
        return {"not": {}}

    def union(self, hints: Iterable[Any], declared: Field) -> dict[str, Any]:
        """Alternatives of different JSON types are one schema, as a keyword concerns one type only.

        That gives better messages than `anyOf`, which remains for the others.
        """
        merged: dict[str, Any] = {}
        found: list[str] = []
        choices: list[Any] = []
        others = []
        for hint in hints:
            schema = self.value(hint, declared)
            accepted = _types(hint, schema)
            if "enum" in schema:
                choices += schema["enum"]
            elif not accepted or set(accepted).intersection(found):
                others.append(schema)
            else:
                merged |= _only_for(accepted, schema) if "$ref" in schema else schema
                found += accepted
        if choices and found == ["null"]:
            choices, found = [*choices, None], []
        if choices:
            others.append({"enum": choices})
        if found:
            others.append({**merged, "type": found if len(found) > 1 else found[0]})
        return others[0] if len(others) == 1 else {"anyOf": others}

    def reference(self, cls: type[Configuration]) -> dict[str, Any]:
        """A reference to the definition of `cls`, which is made if it is not there yet."""
        name = _definition_name(cls)
        if name not in self.definitions:
            self.definitions[name] = {}  # holds the name while the definition is made, which may hold itself
            place = issubclass(cls, Component | Use)
            self.definitions[name] = self.place(cls, name) if place else self.table(cls)
        return _reference(name)

    def place(self, hint: type[Configuration], place: str) -> dict[str, Any]:
        """A component by name or table: one rule for each, so that a fault is reported for the type that is meant."""
        use = hint if issubclass(hint, Use) else None
        offered = self.offered(next(iter(use.hints().values())) if use else hint)
        bare = {"enum": [name for cls, names in offered.items() if not _required(cls) for name in names]}
        rules: list[dict[str, Any]] = [{"if": {"type": "string"}, "then": bare}]
        tables = []
        for cls, names in offered.items():
            name = f"{place}.{names[0]}"
            self.definitions[name] = self.component(cls, names, use)
            tables.append(_reference(name))
            is_meant = {"type": "object", "properties": {"type": {"enum": names}}, "required": ["type"]}
            rules.append({"if": is_meant, "then": _reference(name)})
        return {
            "description": _summary(hint),
            "type": ["string", "object"],
            "properties": {"type": {"enum": sorted(name for names in offered.values() for name in names)}},
            "required": ["type"],
            "allOf": rules,
            **_shown(bare, *tables),
        }

    def offered(self, kind: Any) -> dict[type[Component], list[str]]:
        """The component classes of a kind -> the names by which a spec can ask for them."""
        names = set(self.registry.names(kind))
        for entry in self.registry.entries(kind):
            if entry.origin.distribution not in ("", CORE):
                names.add(f"{entry.origin.type}@{entry.origin.distribution}")
        offered: dict[type[Component], list[str]] = {}
        for name in sorted(names):
            try:
                cls = self.registry.find(kind, name)
            except PluginError:  # ambiguous, or broken
                continue
            if issubclass(cls, kind):
                offered.setdefault(cls, []).append(name)
        return offered


def _types(hint: Any, schema: dict[str, Any]) -> list[str]:
    """The JSON types that a schema for a type hint accepts, as far as that is known."""
    if "$ref" in schema:
        return ["string", "object"] if issubclass(hint, Component | Use) else ["object"]
    accepted = schema.get("type", [])
    return [accepted] if isinstance(accepted, str) else accepted


def _only_for(accepted: list[str], schema: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"type": accepted}, "then": schema, **_shown(schema)}


def _shown(*schemas: dict[str, Any]) -> dict[str, Any]:
    """Demands nothing; shows alternatives to editors that do not follow `if` and `then` when they complete."""
    return {"anyOf": [True, *schemas]}


def _closed(cls: type[Configuration], properties: dict[str, Any], fields: Iterable[Field]) -> dict[str, Any]:
    return {
        "description": _summary(cls),
        "type": "object",
        "properties": properties,
        "required": [declared.name for declared in fields if declared.required],
        "additionalProperties": False,
    }


def _required(cls: type[Configuration]) -> bool:
    return any(declared.required for declared in cls.__fields__.values())


def _bounds(declared: Field) -> dict[str, float]:
    bounds = {
        "minimum": declared.minimum,
        "exclusiveMinimum": declared.above,
        "maximum": declared.maximum,
        "exclusiveMaximum": declared.below,
    }
    return {keyword: bound for keyword, bound in bounds.items() if bound is not None}


def _default(declared: Field) -> dict[str, Any]:
    """The default as an annotation, where there is one and JSON has it."""
    if declared.required:
        return {}
    default = plain(declared.default)
    try:
        json.dumps(default, allow_nan=False)
    except (TypeError, ValueError):
        return {}
    return {"default": default}


def _definition_name(cls: type[Configuration]) -> str:
    if issubclass(cls, Component) and KINDS.get(cls.kind) is cls:
        return cls.kind
    return cls.__name__ if cls.__module__.partition(".")[0] == "modnet" else f"{cls.__module__}:{cls.__qualname__}"


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": "#/$defs/" + quote(name.replace("~", "~0").replace("/", "~1"), safe="@:~")}


def _summary(cls: type) -> str:
    """The first paragraph of the docstring, in one line."""
    return " ".join(cleandoc(cls.__doc__ or "").partition("\n\n")[0].split())


def field_texts(cls: type) -> dict[str, str]:
    """Field name -> what the docstring of the class, or of a class that it is derived from, says about it."""
    texts = {}
    for base in reversed(cls.__mro__):
        for names, text in DOCUMENTED_FIELD.findall(cleandoc(base.__doc__ or "")):
            texts.update(dict.fromkeys(names.split(", "), " ".join(text.split())))
    return texts
