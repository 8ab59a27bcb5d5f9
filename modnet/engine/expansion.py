"""From the layers of a spec to nodes in order: composites are replaced, names resolved, shapes inferred."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modnet.arrays import Shape
from modnet.configuration.reading import MOST_PROBLEMS
from modnet.engine.graph import Graph, GraphNode
from modnet.engine.promises import declaration_fault, described, size_fault
from modnet.errors import Problem, ShapeError, SpecError
from modnet.kinds.activation import Activation
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer
from modnet.kinds.node import Composite, Node, automatic_name
from modnet.plugins.faults import broken, raise_fault
from modnet.records import Record
from modnet.specs.model import NAME, NetworkSpec
from modnet.words import MOST_LISTED, Path, did_you_mean, itemised, path_text, show

MOST_NODES = 100_000
"""The most nodes of a network: `repeat` inside `repeat` asks for any number in a few characters."""

PARTS_FOR_A_NODE = 64
"""The most parts of all nodes together, for each node that is allowed. An input, an axis of a shape, and 16 characters
of a name count as one part each. A single node may have more, but `repeat` multiplies them.
"""


def build_graph(spec: NetworkSpec, most_nodes: int | None = None, *, stored: bool = False) -> Graph:
    """The graph of a network.

    Args:
        most_nodes: the limit of nodes; by default 100,000.
        stored: whether the spec comes from a model file. Penalties and initializers without an effect are accepted
            then: earlier versions accepted them, and have written such files.

    Raises:
        SpecError: with every unknown or repeated name, wrong number of inputs, and conflict of shapes.
    """
    found = _Builder(spec, MOST_NODES if most_nodes is None else min(most_nodes, MOST_NODES), stored).build()
    if spec.members == 1:
        return found
    from modnet.engine.members import spread  # not at the top: few networks are ensembles

    return spread(found, spec.members)


class _Scope(Record, eq=False):
    """One list of nodes: the prefix of their names, its place, the names that are known in it, inherited options."""

    prefix: str
    keys: Path
    names: dict[str, int]
    trainable: bool = True
    l1: float = 0.0
    l2: float = 0.0
    learning_rate: float = 1.0
    weight_decay: float = 1.0


class _TooMuch(Exception):
    """More nodes, or more parts of nodes, than the limit."""


class _Builder:
    def __init__(self, spec: NetworkSpec, most_nodes: int, stored: bool) -> None:
        self.spec = spec
        self.most_nodes = most_nodes
        self.most_parts = PARTS_FOR_A_NODE * most_nodes
        self.parts = 0
        self.stored = stored
        self.inputs = spec.input_shapes()
        self.input_names = list(self.inputs)
        self.nodes: list[GraphNode] = []
        self.makers: list[GraphNode] = []  # the node of each slot after those of the inputs
        self.pending = 0  # nodes in lists that have not been added yet
        self.shapes: list[Shape | None] = list(self.inputs.values())
        self.problems: list[Problem] = []
        self.spans: dict[str, tuple[int, int]] = {}
        self.names: list[list[str]] = []
        # The places of nodes in the spec, by identity (equal nodes have different places). A node that a composite has
        # made has the place of the composite.
        self.places: dict[int, Path] = {}

    def build(self) -> Graph:
        keys = ("network", "layers")
        names = {name: slot for slot, name in enumerate(self.inputs)}
        self.remember_places(self.spec.layers, keys)
        scope = _Scope("", keys, names)
        start = 0 if len(self.inputs) == 1 else None
        for position, (name, shape) in enumerate(self.inputs.items()):
            if too_large := size_fault(shape):
                self.shapes[position] = None
                named = (name,) if isinstance(self.spec.input, dict) else ()
                self.problem(("network", "input", *named), f"the shape has {too_large}")
        try:
            last = self.place(self.spec.layers, scope, start)
        except _TooMuch as error:
            raise SpecError([Problem("network.layers", str(error))]) from None
        outputs = {} if self.spec.outputs is not None else {"output": last}
        for position, name in enumerate(self.spec.outputs or ()):
            if name in scope.names:
                outputs[name] = scope.names[name]
            else:
                self.problem(("network", "outputs", position), self.unknown("no node", name, scope))
        if not self.problems:
            self.check_everything_is_read(outputs)
            self.check_ids_have_no_gradient()
        if self.problems:
            raise SpecError(self.problems)
        return Graph(self.inputs, self.nodes, outputs, self.names)

    def remember_places(self, value: object, keys: Path) -> None:
        for position, node in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(node, Node):
                self.places[id(node)] = (*keys, position)

    def problem(self, keys: Path, message: str, hint: str = "", label: str = "") -> None:
        self.problems.append(Problem(label or path_text(keys), message, hint, keys=keys))
        if len(self.problems) == MOST_PROBLEMS:
            raise SpecError(self.problems)

    def meant(self, name: str, names: Iterable[str]) -> str:
        """`did_you_mean`, only for the first problems: it takes time, and there can be many problems and names."""
        return did_you_mean(name, names) if len(self.problems) < MOST_LISTED else ""

    def unknown(self, noun: str, name: str, scope: _Scope) -> str:
        """The message for an unknown name, with the nearest known one."""
        node, dot, output = name.partition(".")
        slot = scope.names.get(node)
        if not dot or slot is None:
            return f"{noun} is called {show(name)}{self.meant(name, scope.names)}"
        if slot < len(self.inputs):
            return f"{show(node)} is an input of the network and has no outputs; write {show(node)} alone"
        outputs = [known[len(node) + 1 :] for known in scope.names if known.startswith(f"{node}.")]
        if not outputs:
            return f"{show(node)} has only one output; write {show(node)} alone"
        listed = ", ".join(map(show, outputs))
        return f"{show(node)} has no output {show(output)}{self.meant(output, outputs)}; it has {listed}"

    def carry(self, parts: int) -> None:
        """Counts parts of nodes, before memory is taken for them."""
        self.parts += parts
        if self.parts > self.most_parts:
            what = "inputs, axes of shapes, and characters of names; 16 characters count as one part"
            raise _TooMuch(f"the nodes have more parts than the limit of {self.most_parts:,} ({what})")

    def place(self, layers: Sequence[Node], scope: _Scope, previous: int | None) -> int:
        """Adds nodes one after the other; returns the slot of the last."""
        self.pending += len(layers)
        chosen = self.chosen_names(layers, scope)
        counts: dict[str, int] = {}
        for node in layers:
            # Each pending node becomes at least one: counting them stops nested lists before they are expanded.
            if len(self.nodes) + self.pending > self.most_nodes:
                raise _TooMuch(f"there are more nodes than the limit of {self.most_nodes:,}")
            self.pending -= 1
            keys = self.places.get(id(node), scope.keys)
            name = node.name or automatic_name(node.layer.stands_for.type, counts, chosen)
            self.carry((len(scope.prefix) + len(name)) // 16)
            inputs = self.resolve(node, scope, keys, previous)
            previous = slot = self.add(node, scope.prefix + name, keys, inputs, scope)
            given = [name]
            if node.activation is not None:
                activation = automatic_name(node.activation.type, counts, chosen)
                after = Node(node.activation)
                previous = self.add(after, scope.prefix + activation, (*keys, "activation"), (previous,), scope)
                scope.names.setdefault(activation, previous)
                given.append(activation)
            scope.names.setdefault(name, previous)
            if not scope.prefix:
                self.names.append(given)
            outputs = () if isinstance(node.layer, Composite) else node.layer.outputs
            for offset, output in enumerate(outputs):
                scope.names.setdefault(f"{name}.{output}", slot + offset if offset else previous)
        if previous is None:
            raise ValueError("a composite needs at least one node or input")
        return previous

    def chosen_names(self, layers: Sequence[Node], scope: _Scope) -> dict[str, Path]:
        """The names that the spec gives to nodes, each with its place in the spec."""
        chosen: dict[str, Path] = {}
        for node in layers:
            if node.name is None:
                continue
            keys = (*self.places.get(id(node), scope.keys), "name")
            if not NAME.fullmatch(node.name):
                self.problem(keys, f"a name consists of letters, digits, _ and -; found {show(node.name)}")
            elif node.name in chosen or node.name in scope.names:
                where = path_text(chosen[node.name]) if node.name in chosen else "an input"
                self.problem(keys, f"the name {show(node.name)} is already used by {where}")
            chosen.setdefault(node.name, keys[:-1])
        return chosen

    def resolve(self, node: Node, scope: _Scope, keys: Path, previous: int | None) -> tuple[int, ...] | None:
        """The slots that a node reads; None if unknown because of a problem."""
        fewest, most = node.layer.inputs
        if node.inputs is None:
            if previous is None:
                if not self.problems:
                    names = ", ".join(itemised(map(show, self.inputs)))
                    self.problem(
                        keys, f"the network has several inputs; say which one this node reads: inputs = [{names}]"
                    )
                return None
            slots: tuple[int, ...] = (previous,)
        else:
            self.carry(len(node.inputs))
            unknown = [(i, name) for i, name in enumerate(node.inputs) if name not in scope.names]
            for position, name in unknown:
                self.problem((*keys, "inputs", position), self.unknown("no earlier node", name, scope))
            if unknown:
                return None
            slots = tuple(scope.names[name] for name in node.inputs)
        if len(slots) < fewest or (most is not None and len(slots) > most):
            count = f"{fewest}" if fewest == most else f"at least {fewest}" if most is None else f"{fewest} to {most}"
            plural = "" if count == "1" else "s"
            hint = 'name them: inputs = ["a", "b"]' if node.inputs is None else ""
            label = f"{path_text(keys)} ({node.layer.stands_for.type})"
            self.problem(keys, f"expects {count} input{plural}, found {len(slots)}", hint, label)
            return None
        return slots

    def add(self, node: Node, name: str, keys: Path, inputs: tuple[int, ...] | None, scope: _Scope) -> int:
        """Adds one node, or those of a composite; returns the slot of its output."""
        if inputs is None:
            # Its problem is reported. A node of unknown shape takes its place, so that its readers cause no others.
            return self.append(GraphNode(name, node.layer, (), keys, True, 0.0, 0.0, 1.0, 1.0, len(self.shapes)), ())
        first = len(self.nodes)
        trainable = scope.trainable and node.trainable
        l1 = scope.l1 if node.l1 is None else node.l1
        l2 = scope.l2 if node.l2 is None else node.l2
        rate = scope.learning_rate if node.learning_rate is None else node.learning_rate
        decay = scope.weight_decay if node.weight_decay is None else node.weight_decay
        if isinstance(node.layer, Composite):
            inner_names = [f"input_{i + 1}" for i in range(len(inputs))] if len(inputs) > 1 else ["input"]
            if id(node) in self.places:
                for field_name, value in vars(node.layer).items():
                    self.remember_places(value, (*keys, field_name))
            names = dict(zip(inner_names, inputs, strict=True))
            inner = _Scope(f"{name}.", keys, names, trainable, l1, l2, rate, decay)
            slot = self.place(self.expanded(node.layer, inner_names, keys), inner, inputs[0])
        else:
            made = GraphNode(name, node.layer, inputs, keys, trainable, l1, l2, rate, decay, len(self.shapes))
            slot = self.append(made, self.infer(made))
        self.spans[name] = (first, len(self.nodes))
        if node.shares is not None:
            self.share(node, name, keys, scope)
        if not self.stored:
            self.check_penalties(node, first, keys)
            self.check_learning_rate(node, first, keys)
        return slot

    def expanded(self, composite: Composite, inputs: Sequence[str], keys: Path) -> Sequence[Node]:
        """The nodes of a composite."""
        where = f"{path_text(keys)} ({composite.type})"
        try:
            nodes = composite.expand(inputs)
        except ShapeError as error:
            self.problem(keys, error.message, error.hint, where)
            return ()
        except Exception as error:
            raise_fault(error, where)
            raise
        if not isinstance(nodes, Sequence) or not all(isinstance(node, Node) for node in nodes):
            raise broken(where, composite, f"expand gave {described(nodes)}; expected a list of modnet.Node")
        return nodes

    def append(self, node: GraphNode, shapes: tuple[Shape, ...]) -> int:
        """Adds a node with the shapes of its outputs, () if they are unknown; returns its slot."""
        self.nodes.append(node)
        self.makers += [node] * len(node.slots)
        self.shapes += shapes or [None] * len(node.slots)
        return node.slot

    def infer(self, node: GraphNode) -> tuple[Shape, ...]:
        """The shapes of a node's outputs; () if unknown because of a problem."""
        known = [self.shapes[slot] for slot in node.inputs]
        shapes = [shape for shape in known if shape is not None]
        if len(shapes) < len(known):
            return ()
        try:
            node.input_shapes = tuple(shapes)
            found = node.layer.output_shapes(*shapes)
            node.parameters = node.layer.parameters(*shapes)
            node.state = node.layer.state(*shapes)
        except ShapeError as error:
            given = [f"{self.source(slot)} {self.shapes[slot]}" for slot in node.inputs[:MOST_LISTED]]
            more = f" and {len(node.inputs) - MOST_LISTED:,} more inputs" if len(node.inputs) > MOST_LISTED else ""
            self.problem(node.keys, f"{error.message}, but {' and '.join(given)}{more}", error.hint, node.label())
            return ()
        except Exception as error:
            raise_fault(error, node.label())
            raise
        if fault := declaration_fault(found, node.parameters, node.state):
            raise broken(node.label(), node.layer, fault)
        arrays = [("the shape of its output", shape) for shape in found]
        arrays += [(f"the shape of its array {show(name)}", array.shape) for name, array in node.parameters.items()]
        arrays += [(f"the shape of its array {show(name)}", array.shape) for name, array in node.state.items()]
        for what, shape in arrays:
            self.carry(len(shape))
            if too_large := size_fault(shape):
                self.problem(node.keys, f"{what} has {too_large}", "", node.label())
                return ()
        node.shapes = found
        return found

    def source(self, slot: int) -> str:
        if slot < len(self.inputs):
            name = self.input_names[slot]
            return "network.input is" if not isinstance(self.spec.input, dict) else f"the input {show(name)} is"
        return f"{self.makers[slot - len(self.inputs)].label()} gives"

    def share(self, node: Node, name: str, keys: Path, scope: _Scope) -> None:
        """Makes a node use the parameters of an earlier one; for composites, node by node."""
        if not node.trainable:
            message = (
                "a node with shares is trained or frozen with the node that it shares; set trainable = false there"
            )
            self.problem((*keys, "trainable"), message)
        target = scope.prefix + (node.shares or "")
        keys = (*keys, "shares")
        if target not in self.spans or target == name:
            names = (
                known[len(scope.prefix) :] for known in self.spans if known.startswith(scope.prefix) and known != name
            )
            message = f"no earlier node is called {show(node.shares)}{self.meant(node.shares or '', names)}"
            self.problem(keys, message)
            return
        theirs = self.nodes[slice(*self.spans[target])]
        ours = self.nodes[slice(*self.spans[name])]
        if [n.layer.type for n in theirs] != [n.layer.type for n in ours]:
            found = theirs[0].layer.type if len(theirs) == 1 else "a composite of other nodes"
            self.problem(
                keys, f"{show(node.shares)} is {found}, this node is {node.layer.type}; expected the same type"
            )
            return
        for offset, (their, our) in enumerate(zip(theirs, ours, strict=True)):
            mine = {k: p.shape for k, p in our.parameters.items()} | {k: s.shape for k, s in our.state.items()}
            other = {k: p.shape for k, p in their.parameters.items()} | {k: s.shape for k, s in their.state.items()}
            if mine != other:
                wanted = ", ".join(f"{key} {shape}" for key, shape in mine.items())
                has = ", ".join(f"{key} {shape}" for key, shape in other.items())
                self.problem(
                    keys, f"expected arrays of the same shapes: {show(node.shares)} has {has}; this node needs {wanted}"
                )
            if not self.stored:
                self.check_initializers(our.layer, their.layer, keys[:-1] if len(ours) == 1 else keys)
            first = self.spans[target][0] + offset
            our.owner = their.owner if their.owner is not None else first
            # Whether shared parameters are trained is decided by the node that owns them.
            our.trainable = self.nodes[our.owner].trainable

    def check_initializers(self, layer: Layer | Activation, owner: Layer | Activation, keys: Path) -> None:
        """Refuses initializers of a node that shares parameters: they would have no effect."""
        for key, known in type(layer).__fields__.items():
            value = getattr(layer, key)
            if isinstance(value, Initializer) and value not in (known.default, getattr(owner, key)):
                message = "a node with shares uses the parameters of another node; set the initializer there"
                self.problem((*keys, key), message)

    def check_penalties(self, node: Node, first: int, keys: Path) -> None:
        """Refuses a penalty without an effect. Its nodes begin at the position `first`."""
        for key, factor in (("l1", node.l1), ("l2", node.l2), ("weight_decay", node.weight_decay)):
            if factor is None:
                continue
            if node.shares is not None:
                message = f"a node with shares has the {key} of the node that it shares; set it there"
                self.problem((*keys, key), message)
            elif factor and all(found.shapes for found in self.nodes[first:]):
                made = self.nodes[first:]
                arrays = [parameter for found in made for parameter in found.parameters.values()]
                if any(parameter.decay and parameter.trainable for parameter in arrays):
                    continue
                what = "no node in it has weights" if len(made) > 1 else f"{node.layer.type} has no weights"
                message = f"{what} to which {key} could apply (it does not apply to biases and scales of norms)"
                self.problem((*keys, key), message, f"remove {key}, or set it on a layer with weights, such as linear")

    def check_learning_rate(self, node: Node, first: int, keys: Path) -> None:
        """Refuses a factor of the learning rate without an effect. Its nodes begin at the position `first`."""
        if node.learning_rate is None:
            return
        made = self.nodes[first:]
        if node.shares is not None:
            message = "a node with shares has the learning_rate of the node that it shares; set it there"
            self.problem((*keys, "learning_rate"), message)
        elif all(found.shapes for found in made) and not any(found.learns for found in made):
            what = "no node in it has parameters" if len(made) > 1 else f"{node.layer.type} has no parameters"
            self.problem((*keys, "learning_rate"), f"{what} that are trained", "remove learning_rate")

    def check_everything_is_read(self, outputs: dict[str, int]) -> None:
        read = {slot for node in self.nodes for slot in node.inputs} | set(outputs.values())
        for slot, name in enumerate(self.inputs):
            if slot not in read:
                self.problem(
                    ("network", "input", name),
                    "no node reads this input",
                    f"remove it, or name it: inputs = [{show(name)}]",
                )
        for node in self.nodes:
            if read.isdisjoint(node.slots):
                message = "the output of this node is not used"
                self.problem(
                    node.keys, message, "name it in network.outputs or in the inputs of a later node", node.label()
                )

    def check_ids_have_no_gradient(self) -> None:
        """Refuses a layer that takes ids after trainable parameters: ids have no gradient to train them."""
        learning: dict[int, str] = {}
        for node in self.nodes:
            before = next((learning[source] for source in node.inputs if source in learning), "")
            if before and node.layer.integer_input:
                message = f"expects ids, which have no gradient, but depends on the trainable weights of {before}"
                hint = "let it read an input of the network, or freeze the nodes before it with trainable = false"
                self.problem(node.keys, message, hint, node.label())
            elif before or node.learns:
                learning.update(dict.fromkeys(node.slots, before or node.label()))
