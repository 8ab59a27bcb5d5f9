"""Files of weights: safetensors, and torch's own pickles, of which only weights are read."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

import modnet
from modnet.arrays import Array
from modnet.model.atomic import replace_file
from modnet.words import counted, legible, show
from modnet_torch.modules import by_name

SAFETENSORS = (".safetensors",)
PICKLES = (".pt", ".pth", ".bin", ".ckpt")
WRITTEN_PICKLES = (".pt", ".pth")

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
    "BOOL": "?",
}
"""What safetensors calls numbers -> numpy's; those of BF16 are the first half of a float32."""

NESTED = ("state_dict", "model_state_dict", "model", "module", "weights", "params", "ema")
"""The names under which a checkpoint has the weights among other things, the likeliest first."""


class Weights(NamedTuple):
    """The arrays of a file.

    Attributes:
        arrays: name -> array, in the order of the model as far as the file tells.
        metadata: the texts that a safetensors file has in addition.
    """

    arrays: dict[str, Array]
    metadata: dict[str, str]


def read_weights(path: str | PathLike[str]) -> Weights:
    """The arrays of a .safetensors file, or of one of torch's own (.pt, .pth, .bin, .ckpt).

    Of torch's own files only weights are read (`weights_only`), so that nothing in them is run; torch has to be
    installed.

    Raises:
        ModelFileError: the file is damaged, or has no weights.
        MissingExtra: torch is not installed.
        OSError: the file cannot be read.
    """
    path = Path(path).expanduser()
    return _unpickled(path) if path.suffix.lower() in PICKLES else _safetensors(path)


def _safetensors(path: Path) -> Weights:
    content = path.read_bytes()
    try:
        tensors: dict[str, Any] = dict(safetensors.deserialize(content))  # type: ignore[no-untyped-call]
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise modnet.ModelFileError(path, f"not a safetensors file, or a damaged one: {error}") from None
    return Weights({name: _array(path, name, tensors[name]) for name in by_name(_axes(tensors))}, metadata)


def _axes(tensors: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    return {name: len(tensor["shape"]) for name, tensor in tensors.items()}


def _array(path: Path, name: str, tensor: Mapping[str, Any]) -> Array:
    kind = tensor["dtype"]
    if kind not in DTYPES:
        expected = ", ".join(DTYPES)
        raise modnet.ModelFileError(path, f"{legible(name)} has numbers of {kind}; expected one of {expected}")
    array = np.frombuffer(tensor["data"], DTYPES[kind]).reshape(tensor["shape"])
    if kind == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array


def write_safetensors(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Writes arrays and texts; an older file is replaced as a whole or not at all.

    Raises:
        ModelFileError: the file cannot be written.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    _replace(path, safetensors.numpy.save(contiguous, dict(metadata)))


def write_pickle(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes arrays as a state_dict of torch; an older file is replaced as a whole or not at all.

    Raises:
        MissingExtra: torch is not installed.
        ModelFileError: the file cannot be written.
    """
    torch = _torch(f"writing {path.name}")
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, content)
    _replace(path, content.getvalue())


def _replace(path: Path, content: bytes) -> None:
    try:
        replace_file(path, [content], durable=True)
    except OSError as error:
        raise modnet.ModelFileError(path, f"cannot be written: {error.strerror or error}") from error


def _torch(purpose: str) -> Any:
    try:
        import torch  # not at the top: only torch's own files need it
    except ImportError as error:
        raise modnet.MissingExtra("torch", "modnet-torch", extra="torch", purpose=purpose) from error
    return torch


def _unpickled(path: Path) -> Weights:
    torch = _torch(f"reading {path.name}, a pickle of torch,")
    with path.open("rb") as file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
            raise modnet.ModelFileError(path, _refusal(error)) from None
    return Weights({name: as_array(value) for name, value in _tensors(path, content).items()}, {})


def _refusal(error: Exception) -> str:
    if "weights_only" in str(error) or "Unsupported" in str(error):
        return (
            "has more in it than weights, which are all that is read, since anything else in a pickle can run code; in "
            "the program that wrote it: safetensors.torch.save_file(model.state_dict(), PATH)"
        )
    return f"not a file of torch, or a damaged one: {' '.join(str(error).split())[:200]}"


def _tensors(path: Path, content: Any) -> dict[str, Any]:
    """The weights among what a file has: a state_dict, or the one of a checkpoint."""
    found = tensors_in(content)
    if found:
        return found
    inner = {key: tensors_in(value) for key, value in content.items()} if isinstance(content, Mapping) else {}
    candidates = [key for key in (*NESTED, *inner) if inner.get(key)]
    if not candidates:
        raise modnet.ModelFileError(path, f"expected a state_dict, found {show(content)} without one in it")
    if candidates[0] not in NESTED and len(set(candidates)) > 1:
        names = ", ".join(map(show, dict.fromkeys(candidates)))
        raise modnet.ModelFileError(path, f"{counted(len(set(candidates)), 'state_dict')} in it, {names}; keep one")
    return inner[candidates[0]]


def tensors_in(value: Any) -> dict[str, Any]:
    """The tensors and arrays of a mapping by name; nothing for what is no mapping of them, as that of an optimizer."""
    if not isinstance(value, Mapping):
        return {}
    found = {key: item for key, item in value.items() if isinstance(key, str) and hasattr(item, "shape")}
    return found if len(found) * 2 > len(value) else {}


def as_array(tensor: Any) -> Array:
    """An array, or a tensor of torch on any device, as an array of numpy."""
    if not hasattr(tensor, "detach"):
        return np.asarray(tensor)
    tensor = tensor.detach().cpu()
    return np.asarray(tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor)
