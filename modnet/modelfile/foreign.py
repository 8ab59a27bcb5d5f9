"""Files that are no model files: what they are instead."""

from __future__ import annotations

import os
import stat

from modnet.errors import NotAModelFile

_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive (.npz, PyTorch and .keras files are such)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x93NUMPY", "an array in numpy's .npy format"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"GGUF", "a GGUF file"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
)

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def require_regular(path: str | os.PathLike[str], status: os.stat_result) -> None:
    """Raises NotAModelFile if `status` is that of a folder, pipe, socket or device."""
    if not stat.S_ISREG(status.st_mode):
        kind = next((kind for test, kind in _KINDS if test(status.st_mode)), "no regular file")
        raise NotAModelFile(path, f"this is {kind}")


def other_format(start: bytes) -> str:
    """Says which format a file seems to have that starts with these bytes, as in "this is ..."."""
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return name
    if start[8:9] == b"{" and start[4:8] == bytes(4):
        return "a safetensors file"
    if start[:1] == b"\x08" and start[2:3] in (b"\x12", b"\x1a", b"\x3a"):
        return "an ONNX model or other protobuf"
    if _is_text(start):
        return "a text file"
    return "in no format that modnet knows"


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if len(start) - error.start > 3:  # else the last character is only cut
            return False
        text = start[: error.start].decode()
    return bool(text) and all(character.isprintable() or character in "\t\r\n\f\ufeff" for character in text)
