"""Writes the generated parts of the documentation: `python docs/generate.py`.

`docs/reference.md` is made as a whole from the classes; in `docs/cli.md` and `README.md` it is what stands between
`<!-- generated: NAME -->` and `<!-- end of NAME -->`. So are the imports with which packages tell type checkers what
they load when it is first used. With `--check` nothing is written, and the exit status is 1
where a page is out of date.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from types import NoneType
from typing import Any, get_args

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the pages are those of this clone, whichever version is installed

import click  # noqa: E402

import modnet  # noqa: E402
import modnet.testing  # noqa: E402
from modnet.cli.app import cli  # noqa: E402
from modnet.cli.commands import COMMANDS  # noqa: E402
from modnet.configuration.fields import Configuration, Field  # noqa: E402
from modnet.configuration.hints import checker_of  # noqa: E402
from modnet.kinds import GROUPS, KINDS  # noqa: E402
from modnet.kinds.activation import Activation  # noqa: E402
from modnet.kinds.component import Component, Example, Use  # noqa: E402
from modnet.kinds.layer import Layer  # noqa: E402
from modnet.kinds.loss import Loss  # noqa: E402
from modnet.kinds.metric import Metric  # noqa: E402
from modnet.kinds.node import Composite  # noqa: E402
from modnet.kinds.optimizer import Optimizer  # noqa: E402
from modnet.plugins.builtin import BUILTIN  # noqa: E402
from modnet.plugins.registry import Registry  # noqa: E402
from modnet.specs.json_schema import field_texts  # noqa: E402
from modnet.testing.examples import examples_of  # noqa: E402
from modnet.words import shape_text, show  # noqa: E402

REGISTRY = Registry(list)
"""Without the plugins that happen to be installed here."""

PLURALS = {kind: group.removeprefix("modnet.") for kind, group in GROUPS.items()}
SECTION = re.compile(r"^(Attributes|Fields|Args|Returns|Raises):\n((?: {4}.*(?:\n|$)|\n(?= {4}))+)", re.MULTILINE)
FOR_TYPE_CHECKERS = re.compile(r"^if TYPE_CHECKING:.*\n(?: {4}.+\n)+", re.MULTILINE)
WIDTH = 100


def main(arguments: Sequence[str]) -> int:
    check = "--check" in arguments
    stale = 0
    for path, old, new in pages():
        if new == old:
            continue
        stale += 1
        name = path.relative_to(ROOT).as_posix()
        if check:
            print(f"{name} is out of date; run python docs/generate.py")
        else:
            path.write_text(new, encoding="utf-8")
            print(f"{name} written")
    return 1 if stale and check else 0


def pages() -> Iterator[tuple[Path, str, str]]:
    """(path, text as it is, text as it should be) of every page."""
    path = ROOT / "docs/reference.md"
    yield path, path.read_text(encoding="utf-8") if path.exists() else "", reference()
    for name, blocks in (("docs/cli.md", help_texts()), ("README.md", {"what is built in": table_of_types()})):
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        yield path, old, filled(old, blocks)
    for package, homes in lazy_packages():
        path = ROOT / package.replace(".", "/") / "__init__.py"
        old = path.read_text(encoding="utf-8")
        yield path, old, FOR_TYPE_CHECKERS.sub(lambda _, homes=homes: imports(homes), old, count=1)


def lazy_packages() -> Iterator[tuple[str, dict[str, str]]]:
    """Packages that load their names when they are used, and name -> the module that has it."""
    yield "modnet", modnet._HOME
    yield "modnet.testing", modnet.testing._HOME
    for group, offered in BUILTIN.items():
        if (ROOT / group.replace(".", "/")).is_dir():
            yield group, {cls: module for module, cls in (value.split(":") for value in offered.values())}


def imports(homes: Mapping[str, str]) -> str:
    """The block for type checkers, in the order in which ruff sorts imports."""

    def order(name: str) -> tuple[Any, ...]:
        return homes[name], not (len(name) > 1 and name.isupper()), not name[0].isupper(), name

    lines = [f"    from {homes[name]} import {name} as {name}\n" for name in sorted(homes, key=order)]
    return "".join(["if TYPE_CHECKING:  # written by docs/generate.py\n", *lines])


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """The page with the blocks between their markers."""
    for name, block in blocks.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found and found_end):
            raise SystemExit(f"expected {begin} and {end} in the page, found them not")
        page = f"{before}{begin}\n{block}\n{end}{after}"
    return page


# The command line and the table of the README


def help_texts() -> dict[str, str]:
    """`modnet train --help` -> what it prints on a terminal of 80 columns (click leaves two free)."""
    texts = {}
    commands = {
        "modnet": cli,
        **{f"modnet {name}": row.made() for name, row in COMMANDS.items()},
    }
    for name, command in commands.items():
        context = click.Context(command, info_name=name, terminal_width=78, **cli.context_settings)
        context.meta["modnet.plugin_commands"] = {}  # none, whatever is installed here
        texts[f"{name} --help"] = f"```text\n{command.get_help(context)}\n```"
    return texts


def table_of_types() -> str:
    rows = []
    for kind, plural in PLURALS.items():
        types = " ".join(f"`{name}`" for name in BUILTIN[GROUPS[kind]])
        rows.append((f"[{plural}](docs/reference.md#{plural})", types))
    return table(("kind", "types"), rows)


# Markdown


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def prose(text: str) -> str:
    """The text of a docstring as Markdown: what would be emphasis, markup or a list is escaped outside of `code`."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([*\\]|<(?=\w)|^[-+#>](?= ))", r"\\\1", part, flags=re.MULTILINE) for part in parts[::2]]
    return "".join(parts)


def documentation(documented: Any) -> Iterator[str]:
    """The paragraphs and lists of an object's own docstring, but for fields, which have a table of their own."""
    fields = getattr(documented, "__fields__", ())
    # `__doc__` and not `getdoc`: what a base class says is said of the base class.
    text = cleandoc(documented.__doc__ or "") + "\n"
    first, *rest = SECTION.split(text)
    yield prose(first.strip())
    for title, body, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if title == "Returns":
            yield f"Returns: {prose(' '.join(body.split()))}"
        else:
            entries = re.sub(r"\n +", " ", textwrap.dedent(body)).strip().splitlines()
            pairs = [entry.partition(": ")[::2] for entry in entries]
            items = [f"- `{names}`: {prose(text)}" for names, text in pairs if names.split(", ")[0] not in fields]
            if items:
                yield f"{title}:\n\n" + "\n".join(items)
        if after.strip():
            yield prose(after.strip())


def toml(value: Any) -> str:
    """A value as a spec file has it."""
    if isinstance(value, Configuration):
        fields = type(value).__fields__
        options = {n: v for n, v in vars(value).items() if fields[n].required or v != fields[n].default}
        if isinstance(value, Component):
            options = {"type": value.type, **options}
        else:  # a node: the layer's options stand in the node's table
            return toml(next(iter(options.values())))
        if len(options) == 1:
            return show(value.type)
        return "{ " + ", ".join(f"{name} = {toml(option)}" for name, option in options.items()) + " }"
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return show(value)


# The reference


def reference() -> str:
    blocks = [
        "<!-- Made by `python docs/generate.py` from the classes and their docstrings: change those. -->",
        "# Reference",
        "What is built in, kind by kind, and the [public names of `modnet`](#the-public-names). A component's options "
        'are keys of its table in a [spec](spec.md), `{ type = "dropout", rate = 0.2 }`, and arguments of its class, '
        "`Dropout(rate=0.2)`; both are checked alike. Shapes are those of one sample, without the batch axis, unless "
        "they say `batch`.",
        table(
            ("kind", "types"),
            [
                (f"[{plural}](#{plural})", " ".join(link(name, kind) for name in BUILTIN[GROUPS[kind]]))
                for kind, plural in PLURALS.items()
            ],
        ),
    ]
    for kind, base in KINDS.items():
        blocks += [f"## {PLURALS[kind].capitalize()}", *introduction(base)]
        for name, value in BUILTIN[GROUPS[kind]].items():
            blocks += component(REGISTRY.find(base, name), value)
    blocks += ["## The public names", *public_names()]
    # The rarer errors are not among the public names; the tree of all of them is what a reader wants.
    blocks += ["## All errors", "They are in `modnet.errors`.", f"```text\n{inspect.getdoc(modnet.errors)}\n```"]
    return "\n\n".join(blocks) + "\n"


def link(name: str, kind: str) -> str:
    return f"[`{name}`](#{name}-{kind})"


def introduction(kind: type[Component]) -> Iterator[str]:
    """What a kind is; what its classes do is with its class among the public names."""
    yield prose(cleandoc(kind.__doc__ or "").partition("\n\n")[0])
    yield f"The base class is [`modnet.{kind.__name__}`](#modnet{kind.__name__.lower()})."
    module = GROUPS[kind.kind]
    if find_spec(module) is not None:
        # The module of a whole kind says what all of it have in common.
        about = cleandoc(import_module(module).__doc__ or "").partition("\n\n")[2]
        yield from [prose(about)] if about else []


def component(cls: type[Component], value: str) -> Iterator[str]:
    yield f"### `{cls.type}` {cls.kind}"
    version = f", version {cls.version}" if cls.version != 1 else ""
    yield f"`{value.replace(':', '.')}`{version}"
    yield from documentation(cls)
    facts = " ".join(filter(None, facts_of(cls)))
    if facts:
        yield facts
    yield options_of(cls) if cls.__fields__ else "No options."
    shapes = "" if issubclass(cls, Composite) or not issubclass(cls, Layer) else shapes_of(cls, examples_of(cls))
    if shapes:
        yield shapes


def options_of(cls: type[Configuration]) -> str:
    texts = field_texts(cls)
    rows = [
        (f"`{name}`", words(cls.hints()[name]), default_of(declared), str(declared.bounds), prose(texts.get(name, "")))
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
            yield f"Inputs: {fewest} {'or more' if most is None else f'to {most}'}."
        if cls.integer_input:
            yield "The input is integers."
    elif issubclass(cls, Loss):
        if cls.joint_with:
            activations = " or ".join(link(name, "activation") for name in cls.joint_with)
            yield f"In training it works on what {activations} at the network's end reads."
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
        yield f"With its defaults it keeps {count} array{'' if count == 1 else 's'} as large as the parameters."


def shapes_of(cls: type[Component], examples: Sequence[Example]) -> str:
    """The output, parameters and state of the examples, one a column."""
    rows: dict[str, dict[int, str]] = {"output": {}}
    for column, example in enumerate(examples):
        layer, shapes = example.component, example.input_shapes
        rows["output"][column] = shape_text(layer.output_shape(*shapes))
        for name, wanted in layer.parameters(*shapes).items():
            decay = "" if wanted.decay else ", no weight decay"
            row = rows.setdefault(f"parameter `{name}`: `{toml(wanted.initializer)}`{decay}", {})
            row[column] = shape_text(wanted.shape)
        for name, kept in layer.state(*shapes).items():
            rows.setdefault(f"state `{name}`: {kept.fill:g} at first", {})[column] = shape_text(kept.shape)
    if issubclass(cls, Activation) and len(rows) == 1:
        return ""
    layers = [f"`{toml(example.component)}`" for example in examples]
    corner, *others = dict.fromkeys(layers)
    head = ["samples of " + " and ".join(map(shape_text, example.input_shapes)) for example in examples]
    if others:
        corner, head = "", [f"{layer}, {samples}" for layer, samples in zip(layers, head, strict=True)]
    return table(
        [corner, *head],
        [[name, *(row.get(column, "") for column in range(len(examples)))] for name, row in rows.items()],
    )


# The public names


def public_names() -> Iterator[str]:
    for name in modnet.__all__:
        value = getattr(modnet, name)
        yield f"### `modnet.{name}`"
        if inspect.isclass(value):
            yield from public_class(name, value)
        elif inspect.isfunction(inspect.unwrap(value)):
            yield signature(name, value)
            yield from documentation(value)
        else:
            package = type(value).__module__.partition(".")[0]
            yield f"A `{package}.{type(value).__name__}`: see [hooks](plugins/advanced.md#hooks)."


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
