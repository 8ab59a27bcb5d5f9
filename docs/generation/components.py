"""The pages of the reference that describe components."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from inspect import cleandoc
from types import NoneType
from typing import Any, NamedTuple, get_args

from generation.curves import drawing
from generation.examples import example
from generation.markdown import documentation, prose, table, toml, typeset
from modnet.configuration.fields import Configuration, Field
from modnet.configuration.hints import checker_of
from modnet.kinds import GROUPS, KINDS
from modnet.kinds.activation import Activation
from modnet.kinds.component import Component, Example, Use
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer
from modnet.kinds.loss import Loss
from modnet.kinds.metric import Metric
from modnet.kinds.node import Composite
from modnet.kinds.optimizer import Optimizer
from modnet.plugins.builtin import BUILTIN
from modnet.plugins.registry import Registry
from modnet.specs.json_schema import field_texts
from modnet.testing.examples import examples_of
from modnet.words import shape_text

REGISTRY = Registry(list)
"""Without the plugins that happen to be installed here."""

PLURALS = {kind: group.removeprefix("modnet.") for kind, group in GROUPS.items()}


COLUMNS = 3
"""The most examples of shapes that are shown."""
LONG_NUMBER = re.compile(r"\d+\.\d{5,}")

Offered = Mapping[type[Component], str]
"""Component class -> where it is, `package.module:Class`."""


class Page(NamedTuple):
    """A page that components are described on.

    Attributes:
        registry: in which they are found by their names.
        folder: that of the reference, from the page.
        links: name -> where that component is described.
    """

    registry: Registry
    folder: str
    links: Mapping[str, str]

    @classmethod
    def of(cls, registry: Registry, folder: str, own: Iterable[str]) -> Page:
        """A page with components of its own, by name. Of two kinds that have one name the first is linked."""
        kinds = reversed(PLURALS)
        pages = {name: f"{folder}{PLURALS[kind]}.md#{name}" for kind in kinds for name in BUILTIN[GROUPS[kind]]}
        return cls(registry, folder, {**pages, **{name: f"#{name}" for name in own}})

    def linked(self, text: str, described: type[Component]) -> str:
        """The Markdown with links on the names of other components."""
        own = {described.type, *described.__fields__}

        def link(found: re.Match[str]) -> str:
            target = None if found[1] in own else self.links.get(found[1])
            return f"[{found[0]}]({target})" if target else found[0]

        return re.sub(r"(?<!\[)`(\w+)`", link, text)


def built_in(kind: str) -> Offered:
    return {REGISTRY.find(KINDS[kind], name): value for name, value in BUILTIN[GROUPS[kind]].items()}


def kind_page(kind: str) -> str:
    """The page of all built-in components of a kind."""
    base, classes = KINDS[kind], built_in(kind)
    page = Page.of(REGISTRY, "", BUILTIN[GROUPS[kind]])
    blocks = [f"# {PLURALS[kind].capitalize()}", *introduction(base), contents(classes)]
    for cls, value in classes.items():
        blocks += [f"## `{cls.type}`", *component(cls, value, page)]
    return "\n\n".join(blocks) + "\n"


def table_of_types(folder: str, linked: bool = False) -> str:
    """What is built in, kind by kind.

    Args:
        folder: where the pages of the kinds are, for links.
        linked: whether each type is linked to its description.
    """
    rows = []
    for kind, plural in PLURALS.items():
        page = f"{folder}{plural}.md"
        names = [f"[`{name}`]({page}#{name})" if linked else f"`{name}`" for name in BUILTIN[GROUPS[kind]]]
        rows.append((f"[{plural}]({page})", " ".join(names)))
    return table(("kind", "types"), rows)


def contents(classes: Iterable[type[Component]]) -> str:
    rows = [(f"[`{cls.type}`](#{cls.type})", summary(cls)) for cls in classes]
    return table(("type", "what it is"), rows)


def summary(cls: type[Component]) -> str:
    """The first line of a class's docstring."""
    return prose(cleandoc(cls.__doc__ or "").partition("\n\n")[0].replace("\n", " "))


def introduction(kind: type[Component]) -> Iterator[str]:
    """What a kind is; what its classes do is with its class among the public names."""
    yield prose(cleandoc(kind.__doc__ or "").partition("\n\n")[0])
    yield f"The base class is [`modnet.{kind.__name__}`](python.md#modnet{kind.__name__.lower()})."
    module = GROUPS[kind.kind]
    if find_spec(module) is not None:
        # The module of a whole kind says what all of it have in common.
        about = cleandoc(import_module(module).__doc__ or "").partition("\n\n")[2]
        yield from [prose(about)] if about else []


def component(cls: type[Component], value: str, page: Page) -> Iterator[str]:
    """The description of a component, which is at `value`, `package.module:Class`."""
    version = f", version {cls.version}" if cls.version != 1 else ""
    yield f"`{value.replace(':', '.')}`{version}"
    for text in documentation(cls):
        yield page.linked(text, cls)
    facts = " ".join(filter(None, facts_of(cls)))
    if facts:
        yield page.linked(facts, cls)
    drawn = drawing(cls)
    if drawn:
        yield f"![{drawn[0]}]({page.folder}{path_of_drawing(cls)})"
    yield page.linked(options_of(cls), cls) if cls.__fields__ else "No options."
    has_shapes = issubclass(cls, Layer) and not issubclass(cls, Composite)
    shapes = shapes_of(cls, examples_of(cls)[:COLUMNS]) if has_shapes else ""
    if shapes:
        yield shapes
    yield example(cls, page.registry)


def path_of_drawing(cls: type[Component]) -> str:
    """Within the folder of the reference."""
    return f"curves/{cls.kind}-{cls.type}.svg"


def options_of(cls: type[Configuration]) -> str:
    texts = field_texts(cls)
    rows = [
        (
            f"`{name}`",
            words(cls.hints()[name]),
            default_of(declared),
            typeset(str(declared.bounds)),
            prose(texts.get(name, "")),
        )
        for name, declared in cls.__fields__.items()
    ]
    head = ("option", "type", "default", "bounds", "meaning")
    used = [column for column in range(5) if column < 3 or any(row[column] for row in rows)]
    return table([head[column] for column in used], [[row[column] for column in used] for row in rows])


def words(hint: Any) -> str:
    """A type in words: "a list of numbers"; the tables of a spec are called so."""
    (*others, sole) = [part for part in get_args(hint) if part is not NoneType] or [hint]
    is_class = not others and isinstance(sole, type)
    is_table = is_class and issubclass(sole, Configuration) and not issubclass(sole, Component | Use)
    return "a table" if is_table else checker_of(hint).describe()


def default_of(declared: Field) -> str:
    if declared.required:
        return "required"
    return "none" if declared.default is None else f"`{toml(declared.default)}`"


def facts_of(cls: type[Component]) -> Iterator[str]:
    """What a component promises to the engine, in words."""
    if issubclass(cls, Layer) and not issubclass(cls, Activation):
        fewest, most = cls.inputs
        if (fewest, most) != (1, 1):
            more = {None: " or more", fewest: ""}.get(most, f" to {most}")
            yield f"Inputs: {fewest}{more}."
        if cls.integer_input:
            yield "The input consists of whole numbers."
    elif issubclass(cls, Loss):
        if cls.joint_with:
            activations = " or ".join(f"`{name}`" for name in cls.joint_with)
            yield f"Where the network ends with {activations}, training computes the loss from the input of that layer."
        yield "Targets may be integer labels." if cls.takes_labels else ""
    elif issubclass(cls, Metric):
        order = {
            True: "A greater value is better.",
            False: "A smaller value is better.",
            None: "Neither a greater nor a smaller value is better.",
        }
        yield order[cls.greater_is_better]
    elif issubclass(cls, Optimizer):
        count = len(cls().slots)
        kept = {0: "no further arrays", 1: "one further array"}.get(count, f"{count} further arrays")
        yield f"With its defaults it keeps {kept} of the size of the parameters."


def filled_by(initializer: Initializer) -> str:
    """An initializer as a spec has it; of one that only a layer uses, the one within it, or those side by side."""
    within = vars(initializer).values() if not initializer.type else ()
    parts = [part for value in within for part in (value if isinstance(value, tuple) else (value,))]
    texts = [toml(part) for part in parts if isinstance(part, Initializer)] or [toml(initializer)]
    texts = texts[:1] if len(set(texts)) == 1 else texts
    return ", ".join(f"`{LONG_NUMBER.sub(lambda found: f'{float(found[0]):.4g}', text)}`" for text in texts)


def shapes_of(cls: type[Component], examples: Sequence[Example]) -> str:
    """The output, parameters and state of the examples, one a column."""
    rows: dict[str, dict[int, str]] = {"output": {}}
    for column, use in enumerate(examples):
        layer, shapes = use.component, use.input_shapes
        rows["output"][column] = shape_text(layer.output_shape(*shapes))
        for name, wanted in layer.parameters(*shapes).items():
            decay = "" if wanted.decay else ", no weight decay"
            row = rows.setdefault(f"parameter `{name}`: {filled_by(wanted.initializer)}{decay}", {})
            row[column] = shape_text(wanted.shape)
        for name, kept in layer.state(*shapes).items():
            rows.setdefault(f"state `{name}`: {kept.fill:g} at first", {})[column] = shape_text(kept.shape)
    if issubclass(cls, Activation) and len(rows) == 1:
        return ""
    layers = [f"`{toml(use.component)}`" for use in examples]
    corner, *others = dict.fromkeys(layers)
    head = ["samples of " + " and ".join(map(shape_text, use.input_shapes)) for use in examples]
    if others:
        corner, head = "", [f"{layer}, {samples}" for layer, samples in zip(layers, head, strict=True)]
    return table(
        [corner, *head],
        [[name, *(row.get(column, "") for column in range(len(examples)))] for name, row in rows.items()],
    )
