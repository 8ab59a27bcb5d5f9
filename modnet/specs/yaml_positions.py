"""Reads YAML 1.2 into plain values with their positions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from modnet.configuration.reading import DEEPEST
from modnet.errors import MissingExtra, Problem, SpecError
from modnet.specs.positions import MOST_REPEATED, TOO_DEEP, Outline, Span, problem_at, readable, repeated_key
from modnet.specs.syntax import yaml_problem
from modnet.words import Path, show

_MOST_ALIASED = 100_000
_SCALAR_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp"))
_LIST_TAGS = frozenset(["tag:yaml.org,2002:seq"])
_TABLE_TAGS = frozenset(["tag:yaml.org,2002:map"])


def read_yaml(text: str, file: str) -> Node:
    """Reads the only document of a YAML text. Tags cannot make it build objects of other classes.

    Raises:
        MissingExtra: ruamel.yaml is not installed.
        SpecError: the text is not YAML, or has what a spec must not have: two equal keys in a table, keys that are not
            strings, custom tags, several documents, more than 64 levels, more than 100,000 values by aliases.
    """
    try:
        import ruamel.yaml  # an extra
    except ModuleNotFoundError as error:
        raise MissingExtra("ruamel.yaml", extra="yaml", purpose="reading a YAML spec") from error
    composer = _Composer(text, file)
    try:
        return composer.compose()
    except SpecError:
        raise
    # ValueError: "\U00110000"; AssertionError: %YAML 1.22
    except (ruamel.yaml.error.YAMLError, ValueError, AssertionError) as error:
        raise SpecError([yaml_problem(error, text, file, composer.at)]) from error


@dataclass(slots=True, eq=False)
class Node:
    """A value of a YAML text and its position.

    Attributes:
        span: of the value.
        content: a plain scalar, or the nodes of a list or table.
        keys: of a table, the spans of its keys.
        is_block: a list or table that is written without brackets.
        size: the number of values in it, including itself and the content of aliases.
        height: the number of levels below it.
    """

    span: Span
    content: Any
    keys: dict[str, Span] = field(default_factory=dict)
    is_block: bool = False
    size: int = 1
    height: int = 0

    def plain(self) -> Any:
        """The value, with each alias replaced by a copy of its target."""
        if isinstance(self.content, dict):
            return {key: node.plain() for key, node in self.content.items()}
        if isinstance(self.content, list):
            return [node.plain() for node in self.content]
        return self.content

    @property
    def is_without_place(self) -> bool:
        """Whether the text has no characters for its start and end: a block table or list, or an empty value."""
        return self.is_block or self.span[0] == self.span[1]

    def outline(self, text: str) -> Outline:
        """The positions of the value and everything in it. A table without brackets has the position of its key."""
        outline = Outline(text)
        waiting: list[tuple[Path, Node]] = [((), self)]
        while waiting:
            path, node = waiting.pop()
            outline.values[path] = outline.keys.get(path, node.span) if node.is_without_place else node.span
            if isinstance(node.content, dict):
                outline.keys.update({(*path, name): span for name, span in node.keys.items()})
                waiting.extend(((*path, name), child) for name, child in node.content.items())
            elif isinstance(node.content, list):
                waiting.extend(((*path, index), child) for index, child in enumerate(node.content))
        return outline


@dataclass(slots=True, eq=False)
class _Open:
    """A list or table that has begun: its path, its anchor, and the key whose value comes next."""

    node: Node
    path: Path
    anchor: str | None
    key: Node | None = None
    merged: list[Node] = field(default_factory=list)


class _Composer:
    """Builds nodes from the parser's events, so that nesting costs no recursion and limits hold while reading."""

    def __init__(self, text: str, file: str) -> None:
        from ruamel.yaml import YAML, events, nodes  # an extra

        self.events = events
        self.scalar_node = nodes.ScalarNode
        self.yaml = YAML(typ="safe", pure=True)
        self.text = text
        self.file = file
        self.root: Node | None = None
        self.open: list[_Open] = []
        self.anchors: dict[str, Node | None] = {}
        self.aliased = 0
        self.at = 0  # the end of the last event
        self.problems: list[Problem] = []

    def compose(self) -> Node:
        events = self.events
        for event in self.yaml.parse(self.text):
            if isinstance(event, events.ScalarEvent):
                self.add(self.scalar(event), event.anchor)
            elif isinstance(event, events.AliasEvent):
                self.add(self.alias(event), None)
            elif isinstance(event, events.CollectionStartEvent):
                self.begin(event)
            elif isinstance(event, events.CollectionEndEvent):
                self.end(event)
            elif isinstance(event, events.DocumentStartEvent):
                self.document(event)
            self.at = event.end_mark.index
        if self.problems:
            raise SpecError(self.problems)
        return self.root or Node((0, 0), None)

    def document(self, event: Any) -> None:
        if event.version not in (None, (1, 2)):
            start = max(0, self.text.find("%YAML"))
            span = (start, self.text.find("\n", start))
            self.fail(span, "expected YAML 1.2, found another version", "remove this line")
        if self.root is not None:
            start = event.start_mark.index
            self.fail((start, start + 3), "expected one document, but a second begins here", "keep only the spec")

    def begin(self, event: Any) -> None:
        node = Node(_span(event), {}, is_block=not event.flow_style)
        if isinstance(event, self.events.SequenceStartEvent):
            node.content = []
        self.check_tag(event.tag, _TABLE_TAGS if node.content == {} else _LIST_TAGS, node.span)
        path = self.next_path()
        if len(path) > DEEPEST:
            raise SpecError([*self.problems, self.problem(node.span, TOO_DEEP)])
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # known but not complete: an alias to it now would be endless
        self.open.append(_Open(node, path, event.anchor))

    def end(self, event: Any) -> None:
        closed = self.open.pop()
        node = closed.node
        for merged in closed.merged:
            for name, child in merged.content.items():
                if name not in node.content:
                    node.content[name], node.keys[name] = child, merged.keys[name]
        if not node.is_block:
            node.span = (node.span[0], event.end_mark.index)
        self.add(node, closed.anchor)

    def scalar(self, event: Any) -> Node:
        span = _span(event)
        self.check_tag(event.tag, _SCALAR_TAGS, span)
        if len(self.next_path()) > DEEPEST:
            raise SpecError([*self.problems, self.problem(span, TOO_DEEP)])
        tag = event.ctag
        if event.tag in (None, "!"):
            tag = self.yaml.resolver.resolve(self.scalar_node, event.value, event.implicit)
        if str(tag) not in _SCALAR_TAGS:  # "<<" and "=", which are special only as keys
            return Node(span, event.value)
        try:
            node = self.scalar_node(tag, event.value, event.start_mark, event.end_mark)
            return Node(span, self.yaml.constructor.construct_object(node))
        except (ValueError, KeyError, IndexError):
            self.fail(span, "looks like a number or a date, but is not a valid one", "put a string in quotes")

    def alias(self, event: Any) -> Node:
        span = _span(event)
        if event.anchor not in self.anchors:
            self.fail(span, f"there is no anchor &{event.anchor} before this")
        node = self.anchors[event.anchor]
        if node is None:
            self.fail(span, f"this alias is inside &{event.anchor}, the value that it refers to")
        if len(self.next_path()) + node.height > DEEPEST:
            raise SpecError([*self.problems, self.problem(span, TOO_DEEP)])
        self.aliased += node.size
        if self.aliased > _MOST_ALIASED:
            # "Billion laughs": a few lines of aliases to aliases can stand for more values than memory can hold.
            self.fail(span, f"the aliases of this file expand to more than {_MOST_ALIASED:,} values")
        return replace(node, span=span, is_block=False)

    def add(self, node: Node, anchor: str | None) -> None:
        """Puts a complete node in its place: as the root, an item, a key, or the value of a key."""
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        around = self.open[-1]
        table = around.node
        if isinstance(table.content, list):
            table.content.append(node)
        elif around.key is None:
            around.key = self.key(node, around)
            table.span = (table.span[0], max(table.span[1], node.span[1]))
            return
        else:
            if self.is_merge(around.key):
                around.merged += self.tables_of(node)
            else:
                table.content[around.key.content] = node
            around.key = None
        table.size += node.size
        table.height = max(table.height, node.height + 1)
        if node.span[0] < node.span[1]:  # the parser reports an empty value at the next token, maybe lines below
            table.span = (table.span[0], max(table.span[1], node.span[1]))

    def key(self, node: Node, around: _Open) -> Node:
        if not isinstance(node.content, str):
            message = f"expected a string as key, found {show(node.plain())}"
            hint = "" if isinstance(node.content, dict | list) else "put it in quotes"
            self.note(self.problem(node.span, message, hint, around.path))
            return replace(node, content=self.text[slice(*node.span)])
        if node.content in around.node.keys:
            path, first = (*around.path, node.content), around.node.keys[node.content]
            self.note(repeated_key(self.text, self.file, path, first, node.span))
        elif not self.is_merge(node):
            around.node.keys[node.content] = node.span
        return node

    def is_merge(self, key: Node) -> bool:
        return key.content == "<<" and self.text.startswith("<<", key.span[0])  # in quotes it is an ordinary key

    def tables_of(self, node: Node) -> list[Node]:
        """The tables that `<<` merges: one table, or a list of them."""
        nodes = node.content if isinstance(node.content, list) else [node]
        for merged in nodes:
            if not isinstance(merged.content, dict):
                self.fail(merged.span, f"expected a table to merge, found {show(merged.plain())}")
        return list(nodes)

    def next_path(self) -> Path:
        """The path of the value that comes next."""
        if not self.open:
            return ()
        around = self.open[-1]
        if isinstance(around.node.content, list):
            return (*around.path, len(around.node.content))
        return (*around.path, around.key.content if around.key else "?")

    def check_tag(self, tag: str | None, allowed: Collection[str], span: Span) -> None:
        if tag is not None and tag != "!" and tag not in allowed:
            self.fail(span, "a tag that begins with ! is not allowed here", "remove it; a spec has plain values only")

    def note(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) == MOST_REPEATED:
            raise SpecError(self.problems)

    def fail(self, span: Span, message: str, hint: str = "") -> NoReturn:
        problem = self.problem(span, message, hint).replace(path=readable(self.next_path()))
        raise SpecError([*self.problems, problem])

    def problem(self, span: Span, message: str, hint: str = "", path: Path = ()) -> Problem:
        return problem_at(self.text, self.file, span, message, hint, path)


def _span(event: Any) -> Span:
    return event.start_mark.index, event.end_mark.index
