"""An ONNX model as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

import modnet
from modnet.errors import ModelFileError
from modnet.model.atomic import replace_file
from modnet_onnx.exporting.model import settings_of, to_onnx

MOST = (1 << 31) - (1 << 20)
"""The most bytes of a file: protobuf has 31 bits for a length."""


def write(network: modnet.Network, path: Path, options: Mapping[str, Any]) -> None:
    """Writes a network as an ONNX file, as a whole or not at all.

    Raises:
        CannotExport: a part of it has no export.
        ModelFileError: an option is not possible, the network is too large for such a file, or ONNX refuses it.
    """
    size = network.layout.nbytes(network.dtype)
    if size > MOST:
        raise ModelFileError(path, f"the network has {size:,} bytes; an ONNX file can have {MOST:,}")
    made = to_onnx(network, settings_of(options, path), path)
    try:
        onnx.checker.check_model(made, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        text = " ".join(str(error).split())[:300]
        raise ModelFileError(
            path, f"not written, since onnx.checker refuses it, a fault of an export: {text}"
        ) from error
    replace_file(path, [made.SerializeToString()], durable=True)
