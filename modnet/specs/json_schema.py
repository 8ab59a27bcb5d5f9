"""The JSON Schema of a spec, generated from the classes that specs are read into."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from inspect import cleandoc
from typing import Any
from urllib.parse import quote

from modnet.configuration.checker import Schema
from modnet.configuration.fields import Configuration, Field, plain
from modnet.errors import PluginError
from modnet.kinds import KINDS
from modnet.kinds.component import Component, Use
from modnet.plugins.builtin import CORE
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.model import Spec
from modnet.specs.search import PARTS, Range, SearchSpec

DRAFT = "https://json-schema.org/draft/2020-12/schema"

DOCUMENTED_FIELD = re.compile(r"^ {4}(\w+(?:, \w+)*): (.+(?:\n {5,}.+)*)", re.MULTILINE)


def json_schema(registry: Registry | None = None) -> Schema:
    """The JSON Schema (draft 2020-12) of a whole spec, with all available components.

    It accepts the plain values that `read_spec` accepts, as far as each value can be checked on its own. A component of
    a plugin is listed under its bare name, if no other plugin has that name, and under `name@distribution`. Components
    that cannot be imported are left out, since a spec with them cannot be read.

    What a schema cannot express is left to `read_spec`, `build` and `train`:

    - conditions between several fields (`Configuration.check`), and an empty list of layers;
    - the graph: names, inputs, shapes; whether the files and columns of `[data]` exist;
    - 1.0 for a whole number, which is the same as 1 in JSON; nan, infinity and numbers too large for a float64, which
      JSON does not have;
    - tables and lists more than 64 levels deep.

    The schema refuses two forms that `read_spec` accepts: `linear@modnet-core`, and a distribution's name in another
    spelling (`gate@Modnet_Gates`).

    Args:
        registry: where components are looked up; all of them are imported.
    """
    builder = _Builder(registry or default_registry())
    schema = builder.table(Spec)
    schema["properties"]["$schema"] = {"description": "where an editor finds this schema; not read"}
    return {"$schema": DRAFT, "title": "modnet spec", **schema, "$defs": dict(sorted(builder.definitions.items()))}


class _Builder:
    """Makes schemas; what is used in several places, or contains itself, becomes one of `definitions`."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.definitions: Schema = {}

    def table(self, cls: type[Configuration]) -> Schema:
        """A table with the fields of `cls`."""
        if cls is SearchSpec:
            return self.search()
        return _closed(cls, self.fields(cls, cls.__fields__), cls.__fields__.values())

    def search(self) -> Schema:
        """The `[search]` table: its options, and paths whose values are ranges, or tables of further paths."""
        options = {name: declared for name, declared in SearchSpec.__fields__.items() if name != "ranges"}
        name = "ranges"
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = {
                "description": "a range, or a table of paths to ranges",
                "type": "object",
                "if": {"anyOf": [{"required": [key]} for key in Range.__fields__]},
                "then": self.table_reference(Range),
                "else": {"minProperties": 1, "additionalProperties": _reference(name)},
            }
        schema = _closed(SearchSpec, self.fields(SearchSpec, options), options.values())
        schema["properties"] |= {part: _reference(name) for part in PARTS}
        return {**schema, "patternProperties": {r"^\w+\.": _reference(name)}}

    def component(self, cls: type[Component], names: list[str], use: type[Use] | None) -> Schema:
        """A table with `type`, the fields of a component, and the options of its place."""
        declared = {name: use.__fields__[name] for name in use.options() if name not in cls.__fields__} if use else {}
        properties = {
            "type": {"description": _summary(cls), "enum": names},
            **self.fields(cls, cls.__fields__),
            **(self.fields(use, declared) if use else {}),
        }
        schema = _closed(cls, properties, [*cls.__fields__.values(), *declared.values()])
        return {**schema, "required": ["type", *schema["required"]]}

    def fields(self, cls: type[Configuration], names: Iterable[str]) -> Schema:
        """Field name -> schema, with description and default."""
        checkers, texts = cls.checkers(), field_texts(cls)
        properties = {}
        for name in names:
            described = {"description": texts[name]} if name in texts else {}
            properties[name] = {**described, **checkers[name].schema(self), **_default(cls.__fields__[name])}
        return properties

    def union(self, alternatives: Sequence[tuple[Sequence[str], Schema]]) -> Schema:
        """One schema for alternatives of different JSON types, possible because each keyword applies to one type only.

        Its messages are better than those of `anyOf`, which is used for alternatives of the same type.
        """
        merged: Schema = {}
        found: list[str] = []
        others: list[Schema] = []
        choices = [choice for _, schema in alternatives for choice in schema.get("enum", ())]
        for accepted, schema in alternatives:
            if "enum" in schema:
                continue
            if not accepted or set(accepted).intersection(found):
                others.append(schema)
            else:
                merged |= _only_for(accepted, schema)
                found += accepted
        return _alternatives(merged, found, choices, others)

    def table_reference(self, cls: type[Configuration]) -> Schema:
        """A reference to the definition of a table, which is made if it does not exist yet."""
        name = _definition_name(cls)
        if name not in self.definitions:
            self.definitions[name] = {}  # reserves the name: the definition may contain itself, which would not end
            self.definitions[name] = self.table(cls)
        return _reference(name)

    def place_reference(self, cls: type[Component] | type[Use]) -> Schema:
        """As `table_reference`, for a kind of component or its use."""
        name = _definition_name(cls)
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self.place(cls, name)
        return _reference(name)

    def place(self, hint: type[Component] | type[Use], place: str) -> Schema:
        """A component by name or table.

        With a rule for each type name (if, then) instead of `anyOf`, so that a fault is reported for the type that is
        meant, and not for all of them.
        """
        use = hint if issubclass(hint, Use) else None
        offered = self.offered(hint.kind_of_component() if issubclass(hint, Use) else hint)
        bare = {"enum": [name for cls, names in offered.items() if not _required(cls) for name in names]}
        rules: list[Schema] = [{"if": {"type": "string"}, "then": bare}]
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

    def offered(self, kind: type[Component]) -> dict[type[Component], list[str]]:
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


def _alternatives(merged: Schema, types: list[str], choices: list[Any], others: list[Schema]) -> Schema:
    """One schema for values of some JSON types, for some given values, and for what other schemas accept."""
    if choices and types == ["null"]:
        choices, types = [*choices, None], []
    if choices:
        others = [*others, {"enum": choices}]
    if types:
        others = [*others, {**merged, "type": types if len(types) > 1 else types[0]}]
    return others[0] if len(others) == 1 else {"anyOf": others}


def _only_for(accepted: Sequence[str], schema: Schema) -> Schema:
    """The schema, restricted to some JSON types; otherwise a reference would apply to values of all types."""
    if "$ref" not in schema:
        return schema
    return {"if": {"type": list(accepted)}, "then": schema, **_shown(schema)}


def _shown(*schemas: Schema) -> Schema:
    """Accepts everything; lists alternatives for editors whose completion does not follow `if` and `then`."""
    return {"anyOf": [True, *schemas]}


def _closed(cls: type[Configuration], properties: Schema, fields: Iterable[Field]) -> Schema:
    return {
        "description": _summary(cls),
        "type": "object",
        "properties": properties,
        "required": [declared.name for declared in fields if declared.required],
        "additionalProperties": False,
    }


def _required(cls: type[Configuration]) -> bool:
    return any(declared.required for declared in cls.__fields__.values())


def _default(declared: Field) -> Schema:
    """The default as an annotation, if there is one and JSON can express it."""
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


def _reference(name: str) -> Schema:
    return {"$ref": "#/$defs/" + quote(name.replace("~", "~0").replace("/", "~1"), safe="@:~")}


def _summary(cls: type) -> str:
    """The first paragraph of the docstring, in one line."""
    return " ".join(cleandoc(cls.__doc__ or "").partition("\n\n")[0].split())


def field_texts(cls: type) -> dict[str, str]:
    """Field name -> its description in the docstring of the class or of one of its base classes."""
    texts = {}
    for base in reversed(cls.__mro__):
        for names, text in DOCUMENTED_FIELD.findall(cleandoc(base.__doc__ or "")):
            texts.update(dict.fromkeys(names.split(", "), " ".join(text.split())))
    return texts
