"""The OpenAPI document of a server, made from the columns of its models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

import modnet
from modnet.data.column_schema import ColumnSchema
from modnet_serve.datatypes import BYTES, DTYPES
from modnet_serve.repository import Repository
from modnet_serve.served import Served
from modnet_serve.settings import Settings

Plain = dict[str, Any]

MOST_EXAMPLES = 3

MOST_VALUES = 64
"""Values of a tensor that an example shows."""

JSON_TYPES = {"number": "number", "boolean": "boolean"}
"""Kind of a column -> the type of its values; those of others are texts."""

PARAMETERS: Plain = {"type": ["object", "null"]}

ERROR: Plain = {"$ref": "#/components/schemas/Error"}

REASONS = {
    "400": "The request cannot be used; the message says what was found, what was expected, and where.",
    "401": "No token, or a wrong one.",
    "404": "There is no such model or version.",
    "408": "The body did not arrive in time.",
    "413": "A body that is too long, or too many rows.",
    "415": "An unknown compression.",
    "503": "Too many requests wait; Retry-After says when to try again.",
    "504": "The prediction took too long.",
}


def document(repository: Repository, settings: Settings) -> Plain:
    """The document, OpenAPI 3.1."""
    paths: Plain = {}
    schemas: Plain = {"Error": _object({"error": {"type": "string"}})}
    names = list(dict.fromkeys(served.name for served in repository.models))
    for name in names:
        served = repository.slot(name).served
        paths.update(_paths_of(served, schemas))
    if len(names) == 1:
        paths["/predict"] = paths[f"/predict/{names[0]}"]
    paths.update(_of_the_server())
    found: Plain = {
        "openapi": "3.1.0",
        "info": {
            "title": "Models of modnet: " + ", ".join(names),
            "version": modnet.__version__,
            "description": "Predictions by the Open Inference Protocol (version 2), and for records as JSON.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if settings.token:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
    return found


def _paths_of(served: Served, schemas: Plain) -> Plain:
    """The paths of a model; its schemas are added to the others."""
    name = served.name
    schemas[f"{name}.row"] = row = _row(served)
    schemas[f"{name}.prediction"] = _prediction(served)
    schemas[f"{name}.request"] = _request(served)
    schemas[f"{name}.answer"] = _answer(served)
    ref = {key: {"$ref": f"#/components/schemas/{name}.{key}"} for key in ("row", "prediction", "request", "answer")}
    rows: Plain = {"anyOf": [ref["row"], {"type": "array", "items": ref["row"], "minItems": 1}]}
    if not served.columns:
        rows = ref["row"]
    predictions = {"anyOf": [ref["prediction"], {"type": "array", "items": ref["prediction"]}, _reported(ref)]}
    predict = _operation(f"Predict with {name}, for a record or a list of them", predictions, rows)
    predict["requestBody"]["content"]["application/json"]["examples"] = {"row": {"value": _example(row)}}
    predict["parameters"] = [
        {
            "name": "report",
            "in": "query",
            "schema": {"type": "boolean", "default": False},
            "description": "Tell what was replaced, ignored, or outside of what the model was trained on.",
        }
    ]
    infer = _operation(f"Infer with {name}, by the Open Inference Protocol", ref["answer"], ref["request"])
    return {
        f"/predict/{name}": {"post": predict},
        f"/v2/models/{name}": {"get": _operation(f"The tensors of {name}", {"type": "object"})},
        f"/v2/models/{name}/ready": {"get": _operation(f"Whether {name} answers", {"type": "object"})},
        f"/v2/models/{name}/infer": {"post": infer},
    }


def _of_the_server() -> Plain:
    """The paths that are of no model."""
    text = {"200": {"description": "Text for Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    models = {"type": "array", "items": {"type": "object"}}
    return {
        "/v2": {"get": _operation("The server's name, version and extensions", {"type": "object"})},
        "/v2/health/live": {"get": {**_operation("Whether the process answers", {"type": "object"}), "security": []}},
        "/v2/health/ready": {
            "get": {**_operation("Whether requests should be sent", {"type": "object"}), "security": []}
        },
        "/v2/repository/index": {"post": _operation("All models with their state", models)},
        "/metrics": {"get": {"summary": "Figures for Prometheus", "responses": {**text, "401": _failure("401")}}},
    }


def _operation(summary: str, answer: Plain, body: Plain | None = None) -> Plain:
    made: Plain = {
        "summary": summary,
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": answer}}},
            **{code: _failure(code) for code in (REASONS if body else ("401", "404", "503"))},
        },
    }
    if body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return made


def _failure(code: str) -> Plain:
    return {"description": REASONS[code], "content": {"application/json": {"schema": ERROR}}}


# Records


def _row(served: Served) -> Plain:
    """The schema of a record, or of the arrays that a model without columns takes."""
    if served.columns:
        dtype = served.network.dtype
        return _object({column.name: column_schema(column, dtype) for column in served.columns}, closed=False)
    inputs = served.network.inputs
    arrays = {name: _array_schema(shape, served.network.dtype) for name, shape in inputs.items()}
    if len(arrays) > 1:
        return _object(arrays)
    return {"description": "One sample, or several.", **next(iter(arrays.values()))}


def _of_kind(column: ColumnSchema, dtype: np.dtype[Any]) -> Plain:
    """The description of columns of a single kind."""
    if column.kind == "number":
        return _bounds(dtype)
    if column.kind == "date":
        return {"format": "date" if _are_days(column) else "date-time"}
    return {"x-separator": column.separator} if column.kind == "labels" else {}


def _bounds(dtype: np.dtype[Any]) -> Plain:
    """The least and the greatest number that a dtype can hold."""
    most = float(np.finfo(dtype).max)
    return {"minimum": -most, "maximum": most}


def _array_schema(shape: Iterable[int | None], dtype: np.dtype[Any]) -> Plain:
    """Nested lists of numbers, for one sample or with an axis of samples before it."""
    sample: Plain = {"type": "number", **_bounds(dtype)}
    for axis in reversed(tuple(shape)):
        length = {} if axis is None else {"minItems": axis, "maxItems": axis}
        sample = {"type": "array", "items": sample, **length}
    return {"anyOf": [sample, {"type": "array", "items": sample, "minItems": 1}]}


def column_schema(column: ColumnSchema, dtype: np.dtype[Any]) -> Plain:
    """What a value of a column is.

    The range of training is not a bound, because other numbers are accepted too: it is in `x-training-range`.

    Args:
        dtype: of the network, beyond which numbers are refused.
    """
    made: Plain = {"type": [JSON_TYPES.get(column.kind, "string")], "x-kind": column.kind}
    if column.has_categories:
        made["x-categories"] = list(column.categories)
    made |= _of_kind(column, dtype)
    if column.lowest is not None:
        low, high = column.range_texts()
        limits = [low, high] if column.kind == "date" else [column.lowest, column.highest]
        made |= {"x-training-range": limits, "description": f"In training {low} to {high}."}
    gap = [] if column.refuses_gaps else [None]
    if gap:
        made["type"].append("null")
    if column.kind == "category":
        known: Plain = {"enum": [*column.categories, *gap]}
        made |= known if column.unknown == "error" else {"anyOf": [known, {"type": "string"}]}
    return {**made, "examples": _examples(column), "default": _default(column)}


def _are_days(column: ColumnSchema) -> bool:
    return all(str(limit).endswith("T00:00:00") or "T" not in str(limit) for limit in (column.lowest, column.highest))


def _examples(column: ColumnSchema) -> list[Any]:
    if column.kind == "boolean":
        return [True, False]
    if column.has_categories:
        return list(column.categories[:MOST_EXAMPLES])
    if column.kind == "date":
        return ["2024-01-31"] if column.lowest is None else [*column.range_texts()]
    if column.kind == "number":
        return [_middle(column)]
    return ["a text"]


def _default(column: ColumnSchema) -> Any:
    """A value for a form to begin with: what training puts in place of a missing one, or an example."""
    fill = column.fill
    if isinstance(fill, float | int):
        return _rounded(float(fill))
    return fill if column.kind == "category" and fill is not None else _examples(column)[0]


def _middle(column: ColumnSchema) -> float:
    if not isinstance(column.lowest, float | int) or not isinstance(column.highest, float | int):
        return 0.0
    return _rounded(column.lowest / 2 + column.highest / 2)


def _rounded(value: float) -> float:
    """A number of four digits, as a person would give it."""
    found = float(f"{value:.4g}")
    return int(found) if found.is_integer() and abs(found) < 1e15 else found


def example_of(served: Served) -> Any:
    """A row, or a sample, to try a model with."""
    return _example(_row(served))


def _example(row: Plain) -> Any:
    if "properties" in row and all("default" in column for column in row["properties"].values()):
        return {name: column["default"] for name, column in row["properties"].items()}
    return _sample(row)


def _sample(schema: Plain) -> Any:
    if "properties" in schema:
        return {name: _sample(part) for name, part in schema["properties"].items()}
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0])
    if schema.get("type") == "array":
        return [_sample(schema["items"]) for _ in range(schema.get("minItems", 1))]
    return 0.0


def _prediction(served: Served) -> Plain:
    """The schema of a record of predictions."""
    network = served.network
    known = {tensor.name: tensor for tensor in served.outputs}
    if not served.columns:
        return {"type": "object", "description": "The outputs, and classes with their probabilities."}
    targets = {} if network.schema is None else network.schema.classes()
    classes = {
        column.name: list(column.categories)
        for name in targets
        for column in network.schema.targets[name]
        if column.kind == "category"
    }
    found: Plain = {}
    for name, tensor in known.items():
        if name in classes:
            found[name] = {"type": "string", "enum": classes[name]}
        elif tensor.datatype == BYTES:
            found[name] = {"type": ["string", "array"], "items": {"type": "string"}}
        else:
            found[name] = {"type": ["number", "null"]}
    return _object(found)


def _reported(ref: Mapping[str, Plain]) -> Plain:
    fault = {"row": {"type": ["integer", "null"]}, "column": {"type": "string"}, "message": {"type": "string"}}
    return _object(
        {
            "predictions": {"anyOf": [ref["prediction"], {"type": "array", "items": ref["prediction"]}]},
            "report": {"type": "array", "items": {"type": "object", "properties": fault}},
        }
    )


def _object(properties: Plain, closed: bool = True) -> Plain:
    found: Plain = {"type": "object", "properties": properties, "required": list(properties)}
    return {**found, "additionalProperties": False} if closed else found


# Tensors


def _request(served: Served) -> Plain:
    names = [tensor.name for tensor in served.outputs]
    inputs = [tensor.name for tensor in served.inputs]
    output = {"type": "object", "required": ["name"], "properties": {"name": {"enum": names}}}
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"]},
            "parameters": PARAMETERS,
            "inputs": {"type": "array", "items": _input(inputs), "minItems": len(inputs), "maxItems": len(inputs)},
            "outputs": {"type": ["array", "null"], "items": output},
        },
        "examples": [{"inputs": _tensors_example(served)}],
    }


def _input(names: list[str]) -> Plain:
    return {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"enum": names},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
            "datatype": {"enum": list(DTYPES)},
            "data": {"type": "array"},
            "parameters": PARAMETERS,
        },
    }


def _tensors_example(served: Served) -> list[Plain]:
    """The tensors of one row; of a large sample the values are left out."""
    row = example_of(served) if served.columns else {}
    found = []
    for tensor in served.inputs:
        shape = [1, *(1 if axis < 0 else axis for axis in tensor.shape[1:])]
        data = [row.get(tensor.name, 0)] * min(math.prod(shape), MOST_VALUES)
        found.append({"name": tensor.name, "datatype": tensor.datatype, "shape": shape, "data": data})
    return found


def _answer(served: Served) -> Plain:
    output = {
        "name": {"enum": [tensor.name for tensor in served.outputs]},
        "datatype": {"enum": list(DTYPES)},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "data": {"type": "array"},
    }
    return {
        "type": "object",
        "required": ["model_name", "model_version", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": {"type": "object", "properties": output}},
        },
    }
