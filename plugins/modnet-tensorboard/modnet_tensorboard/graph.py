"""The graph of a network as TensorBoard draws it."""

from __future__ import annotations

from tensorboardX.proto.attr_value_pb2 import AttrValue
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.node_def_pb2 import NodeDef
from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboardX.proto.versions_pb2 import VersionDef

from modnet.arrays import Shape
from modnet.engine.graph import Graph
from modnet.words import legible


def graph_event(graph: Graph) -> Event:
    """The event with a graph: a node for each input and each node; composites can be opened and closed."""
    names: dict[int, str] = {}
    nodes = []
    for slot, (name, shape) in enumerate(graph.inputs.items()):
        names[slot] = f"inputs/{name}"
        nodes.append(NodeDef(name=names[slot], op="input", attr={"_output_shapes": _shapes(shape)}))
    for node in graph.nodes:
        name = node.name.replace(".", "/")
        names.update({slot: f"{name}:{place}" if place else name for place, slot in enumerate(node.slots)})
        attributes = {"_output_shapes": _shapes(*node.shapes)}
        for option, value in node.layer.plain().items():
            attributes[option] = AttrValue(s=legible(str(value), 200).encode())
        nodes.append(NodeDef(name=name, op=node.type, input=[names[slot] for slot in node.inputs], attr=attributes))
    definition = GraphDef(node=nodes, versions=VersionDef(producer=22))
    return Event(graph_def=definition.SerializeToString())


def _shapes(*shapes: Shape) -> AttrValue:
    """Of batches of any size; -1 is a variable axis."""
    dims = TensorShapeProto.Dim
    found = [TensorShapeProto(dim=[dims(size=-1), *(dims(size=size or -1) for size in shape)]) for shape in shapes]
    return AttrValue(list=AttrValue.ListValue(shape=found))
