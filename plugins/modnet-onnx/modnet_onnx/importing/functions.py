"""Operators that ONNX defines by others: what they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from modnet_onnx.importing.values import Value


def body_of(node: onnx.NodeProto, opsets: Mapping[str, int], values: Sequence[Value]) -> list[onnx.NodeProto] | None:
    """The nodes that a node stands for, with names of their own; None for an operator that is none of these.

    Args:
        opsets: domain -> version.
        values: what the node reads.
    """
    domain = node.domain if node.domain != "ai.onnx" else ""
    version = opsets.get(domain, 1)
    try:
        schema = onnx.defs.get_schema(node.op_type, version, domain)
    except onnx.defs.SchemaError:
        return None
    function = _function(schema, node, version, values)
    if function is None or any(_has_graph(inner) for inner in function.node):
        return None
    wanted = {entry.domain: entry.version for entry in function.opset_import}
    if any(opsets.get(name, opset) < opset for name, opset in wanted.items()):
        return None
    return _inlined(node, function, schema)


def _function(
    schema: onnx.defs.OpSchema, node: onnx.NodeProto, version: int, values: Sequence[Value]
) -> onnx.FunctionProto | None:
    if schema.has_function:
        made = schema.get_function_with_opset_version(version) if version in schema.function_opset_versions else b""
        return onnx.FunctionProto.FromString(made) if made else schema.function_body
    if not schema.has_context_dependent_function:
        return None
    types = [onnx.helper.make_tensor_type_proto(value.dtype, value.shape).SerializeToString() for value in values]
    versions = [known for known in schema.context_dependent_function_opset_versions if known <= version]
    if not versions:
        return None
    made = schema.get_context_dependent_function_with_opset_version(max(versions), node.SerializeToString(), types)
    return onnx.FunctionProto.FromString(made)


def _has_graph(node: onnx.NodeProto) -> bool:
    return any(given.type == onnx.AttributeProto.GRAPH for given in node.attribute)


def _inlined(
    node: onnx.NodeProto, function: onnx.FunctionProto, schema: onnx.defs.OpSchema
) -> list[onnx.NodeProto] | None:
    """The nodes of a function with the names, and the attributes, of the node that calls it."""
    given = dict(zip(function.input, [*node.input, *[""] * len(function.input)], strict=False))
    given |= {inner: outer for inner, outer in zip(function.output, node.output, strict=False) if outer}
    prefix = f"{next(filter(None, node.output))}/"
    attributes = {attribute.name: attribute for attribute in node.attribute}
    for name, default in schema.attributes.items():
        if default.default_value.type:
            attributes.setdefault(name, default.default_value)
    found = []
    for inner in function.node:
        made = onnx.NodeProto()
        made.CopyFrom(inner)
        made.input[:] = [given.get(name, prefix + name) if name else "" for name in inner.input]
        made.output[:] = [given.get(name) or prefix + name if name else "" for name in inner.output]
        del made.attribute[:]
        for attribute in inner.attribute:
            if not attribute.ref_attr_name:
                made.attribute.append(attribute)
            elif attribute.ref_attr_name in attributes:
                kept = made.attribute.add()
                kept.CopyFrom(attributes[attribute.ref_attr_name])
                kept.name = attribute.name
        found.append(made)
    return found
