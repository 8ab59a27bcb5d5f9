"""Which modules of torch have the arrays of which node: what the spec says, then names, then shapes and order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modnet.engine.graph import Graph, GraphNode
from modnet.errors import DataError
from modnet.words import did_you_mean, show
from modnet_torch.form import Form
from modnet_torch.forms import feature_orders, forms_of
from modnet_torch.modules import Module

KINDS = {
    "embedding": ("embed", "wte", "wpe", "tok", "pos"),
    "positional_embedding": ("pos", "wpe"),
    "linear": ("head", "lm_head", "fc", "linear", "dense", "proj", "classifier", "out"),
}
"""Type of layer -> the usual names of such modules, if the arrays of two kinds look alike."""


@dataclass(frozen=True)
class Seeker:
    """A node that needs arrays, and how they may look."""

    node: GraphNode
    forms: tuple[Form, ...]


@dataclass(frozen=True)
class Match:
    """A node, and the modules that have its arrays.

    Attributes:
        form: how they look there.
        how: why these were taken: "spec", "name", "shape" if no other would fit, or "order".
    """

    node: GraphNode
    form: Form
    modules: tuple[Module, ...]
    how: str


@dataclass
class Matching:
    """What was found for the nodes of a network.

    Attributes:
        matches: in the order of the network.
        missing: the nodes for which nothing was found.
        left_over: the modules of which nothing was taken.
    """

    matches: list[Match] = field(default_factory=list)
    missing: list[Seeker] = field(default_factory=list)
    left_over: list[Module] = field(default_factory=list)


def seekers_of(graph: Graph) -> list[Seeker]:
    """The nodes with arrays of their own, in order."""
    orders = feature_orders(graph)
    nodes = [node for node in graph.nodes if node.owner is None]
    found = [Seeker(node, tuple(forms_of(node, orders.get(node.inputs[0])))) for node in nodes]
    return [seeker for seeker in found if seeker.forms]


def match(
    graph: Graph, modules: Sequence[Module], chosen: Mapping[str, str] | None = None, ignore: Iterable[str] = ()
) -> Matching:
    """Finds the modules of each node.

    Args:
        modules: in the order in which the model has them.
        chosen: name of a node or of a composite -> that of a module, or of one around several.
        ignore: names of modules that are not used and not counted as left over.

    Raises:
        DataError: there is no node, or no module, of a name in `chosen` or `ignore`.
    """
    ignored = tuple(ignore)
    seekers = seekers_of(graph)
    _check_names(seekers, modules, chosen or {}, ignored)
    free = [module for module in modules if not any(module.is_below(name) for name in ignored)]
    known: dict[str, Match] = {}
    # The longest first, so that a node may be told apart from the composite around it.
    for name, prefix in sorted((chosen or {}).items(), key=lambda pair: -len(pair[0])):
        inside = [seeker for seeker in seekers if _is_within(seeker, name) and seeker.node.name not in known]
        found = _Search(inside, [module for module in modules if module.is_below(prefix)]).found
        known |= {node: Match(each.node, each.form, each.modules, "spec") for node, each in found.items()}
    scoped = [s for s in seekers if s.node.name in known or any(_is_within(s, name) for name in chosen or {})]
    taken = {module.name for each in known.values() for module in each.modules}
    rest = [module for module in free if module.name not in taken]
    known |= _Search([seeker for seeker in seekers if seeker not in scoped], rest).found
    taken |= {module.name for each in known.values() for module in each.modules}
    return Matching(
        [known[seeker.node.name] for seeker in seekers if seeker.node.name in known],
        [seeker for seeker in seekers if seeker.node.name not in known],
        [module for module in free if module.name not in taken],
    )


def _is_within(seeker: Seeker, name: str) -> bool:
    return seeker.node.name == name or seeker.node.name.startswith(f"{name}.")


def _check_names(
    seekers: Sequence[Seeker], modules: Sequence[Module], chosen: Mapping[str, str], ignore: Sequence[str]
) -> None:
    nodes = [seeker.node.name for seeker in seekers]
    for name in chosen:
        if not any(_is_within(seeker, name) for seeker in seekers):
            raise DataError(f"weights.nodes: no node with arrays is called {show(name)}{did_you_mean(name, nodes)}")
    names = [module.name for module in modules]
    for where, prefix in [("nodes", prefix) for prefix in chosen.values()] + [("ignore", name) for name in ignore]:
        if not any(module.is_below(prefix) for module in modules):
            raise DataError(f"weights.{where}: the file has no {show(prefix)}{did_you_mean(prefix, names)}")


class _Search:
    """Finds modules for nodes, each module for one node at most.

    Attributes:
        found: name of a node -> its match.
    """

    def __init__(self, seekers: Sequence[Seeker], modules: Sequence[Module]) -> None:
        self.found: dict[str, Match] = {}
        self.modules = {module.name: module for module in modules}
        self.places = {module.name: place for place, module in enumerate(modules)}
        self.free = dict(self.modules)
        self.seekers = list(seekers)
        self.by_name()
        self.several()
        for first in (True, False):
            self.by_shape([s for s in self.waiting() if _axes(s) > 1], first)
            self.next_to_others(first)
            self.by_shape(self.waiting(), first)

    def waiting(self) -> list[Seeker]:
        return [seeker for seeker in self.seekers if seeker.node.name not in self.found]

    def take(self, seeker: Seeker, form: Form, modules: Sequence[Module], how: str) -> None:
        self.found[seeker.node.name] = Match(seeker.node, form, tuple(modules), how)
        for module in modules:
            self.free.pop(module.name, None)

    def by_name(self) -> None:
        """Modules that are called like the node, or so but for underscores instead of dots."""
        plain = {name.replace(".", "_"): name for name in self.free}
        for seeker in self.seekers:
            for form in seeker.forms:
                names = [f"{seeker.node.name}{name}" for name in form.names]
                modules = [self.free.get(name) or self.free.get(plain.get(name, "")) for name in names]
                found = [module for module in modules if module is not None]
                if len(found) == len(names) and _fits(form, found):
                    self.take(seeker, form, found, "name")
                    break

    def several(self) -> None:
        """The nodes whose arrays are in several modules: the first takes the first such group, and so on."""
        seekers = [seeker for seeker in self.waiting() if any(len(form.names) > 1 for form in seeker.forms)]
        prefixes = _prefixes(self.free)
        for number, seeker in enumerate(seekers):
            same = [other for other in seekers if _looks(other) == _looks(seeker)]
            for prefix in prefixes:
                found = next(((f, m) for f in seeker.forms if (m := self.group(prefix, f)) is not None), None)
                if found is not None:
                    self.take(seeker, *found, "shape" if len(same) == 1 and number == 0 else "order")
                    break

    def group(self, prefix: str, form: Form) -> list[Module] | None:
        """The modules below a prefix that have the arrays of a form, if there are just these."""
        if len(form.names) < 2:
            return None
        if not form.roles:
            named = [self.free.get(f"{prefix}{name}") for name in form.names]
            found = [module for module in named if module is not None]
            return found if len(found) == len(named) and _fits(form, found) else None
        inside = [module for module in self.free.values() if module.is_below(prefix)]
        maps = [module for module in inside if len(module.shapes.get("weight", ())) == 2]
        if len(maps) != len(form.names):
            return None
        maps = _by_role(maps, form.roles)
        return maps if _fits(form, maps) else None

    def by_shape(self, seekers: Sequence[Seeker], first: bool) -> None:
        """Of the nodes and the modules with arrays of the same shapes, the first takes the first, and so on.

        Args:
            first: whether only the usual form of each node counts, or all.
        """
        single = [seeker for seeker in seekers if len(seeker.forms[0].names) == 1]
        options = {seeker.node.name: self.options(seeker, first) for seeker in single}
        for group in _connected(single, options):
            names = {name for seeker in group for name in options[seeker.node.name]}
            modules = sorted(names, key=self.places.__getitem__)
            how = "shape" if len(group) == len(modules) == 1 else "order"
            for seeker, name in _paired(group, modules, options):
                module = self.free[name]
                form = next(form for form in seeker.forms if _fits(form, [module]))
                self.take(seeker, form, [module], how)

    def options(self, seeker: Seeker, first: bool) -> list[str]:
        forms = seeker.forms[:1] if first else seeker.forms
        return [name for name, module in self.free.items() if any(_fits(form, [module]) for form in forms)]

    def next_to_others(self, first: bool) -> None:
        """A norm takes the module after that of the node that it reads, if that is a fitting norm."""
        names = list(self.modules)
        by_slot = {seeker.node.slot: seeker.node.name for seeker in self.seekers}
        for seeker in self.waiting():
            before = self.found.get(by_slot.get(seeker.node.inputs[0], ""))
            if before is None or _axes(seeker) > 1:
                continue
            place = self.places[before.modules[-1].name] + 1
            name = names[place] if place < len(names) else ""
            if name in self.options(seeker, first):
                module = self.free[name]
                form = next(form for form in seeker.forms if _fits(form, [module]))
                self.take(seeker, form, [module], "order")


def _fits(form: Form, modules: Sequence[Module]) -> bool:
    """Whether modules have the arrays of a form, and no others."""
    if len(form.shapes) != len(modules):
        return False
    return all(dict(shapes) == module.shapes for shapes, module in zip(form.shapes, modules, strict=True))


def _axes(seeker: Seeker) -> int:
    return max((len(shape) for shapes in seeker.forms[0].shapes for shape in shapes.values()), default=0)


def _looks(seeker: Seeker) -> list[dict[str, tuple[int, ...]]]:
    return [dict(shapes) for shapes in seeker.forms[0].shapes]


def _prefixes(names: Iterable[str]) -> list[str]:
    """The modules, and all around them, in order; within others first."""
    found = {}
    for name in names:
        parts = name.split(".")
        found.update(dict.fromkeys(".".join(parts[:length]) for length in range(len(parts), 0, -1)))
    return [*found, ""]


def _by_role(modules: Sequence[Module], roles: Sequence[str]) -> list[Module]:
    """Modules in the order of their roles, if their names tell them; otherwise as they are."""
    if not all(roles[:-1]):
        return list(modules)
    last = {module.name: module.name.rpartition(".")[2] for module in modules}
    found = []
    for role in roles[:-1]:
        found += [module for module in modules if last[module.name].startswith(role)][:1]
    others = [module for module in modules if module not in found]
    return [*found, *others] if len(others) == 1 else list(modules)


def _connected(seekers: Sequence[Seeker], options: Mapping[str, Sequence[str]]) -> list[list[Seeker]]:
    """Nodes in groups that have options in common; nodes without any are left out."""
    groups: list[tuple[set[str], list[Seeker]]] = []
    for seeker in seekers:
        names = set(options[seeker.node.name])
        if not names:
            continue
        joined = [group for group in groups if not group[0].isdisjoint(names)]
        groups = [group for group in groups if group[0].isdisjoint(names)]
        together = [other for group in joined for other in group[1]]
        groups.append((names.union(*(group[0] for group in joined)), [*together, seeker]))
    return [sorted(group, key=lambda seeker: seeker.node.slot) for _, group in groups]


def _paired(
    seekers: Sequence[Seeker], modules: Sequence[str], options: Mapping[str, Sequence[str]]
) -> list[tuple[Seeker, str]]:
    """Each node with the first module that is left for it; one whose name tells its kind is kept for that kind."""
    left, pairs = list(modules), []
    kinds = {seeker.node.layer.type for seeker in seekers}
    for seeker in seekers:
        fitting = [name for name in left if name in options[seeker.node.name]]
        likely = [name for name in fitting if len(kinds) == 1 or _is_called(name, seeker.node.layer.type)]
        unlike = [name for name in fitting if not any(_is_called(name, kind) for kind in kinds)]
        choice = next(iter(likely or unlike or fitting), None)
        if choice is not None:
            pairs.append((seeker, choice))
            left.remove(choice)
    return pairs


def _is_called(name: str, kind: str) -> bool:
    return any(part.startswith(KINDS.get(kind, ())) for part in name.rpartition(".")[2:]) if kind in KINDS else False
