"""Files that are not model files: what they are, and how to read them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable

from modnet.errors import NotAModelFile

_DECOMPRESS = "decompress it first"
_UNPACK = "unpack it first"
_PICKLE = (
    "opening a pickle can run any code, so modnet never does; save the arrays with numpy.savez in the program that "
    "wrote it, and pass them to modnet.load_parameters"
)
_ARRAYS = "modnet.load_parameters accepts its arrays, read with"
_PLUGIN = "it needs a plugin that reads such files (hook modnet_import)"

_SIGNATURES = (
    (
        b"\x93NUMPY",
        "an array in numpy's .npy format",
        "read it with numpy.load, and pass it to modnet.load_parameters(network, {NAME: array})",
    ),
    (b"PK\x05\x06", "an empty zip archive", ""),
    (b"\x1f\x8b", "compressed with gzip", _DECOMPRESS),
    (b"BZh", "compressed with bzip2", _DECOMPRESS),
    (b"\xfd7zXZ\x00", "compressed with xz", _DECOMPRESS),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _DECOMPRESS),
    (b"\x89HDF\r\n", "an HDF5 file (such as Keras's .h5)", f"{_ARRAYS} h5py"),
    (b"GGUF", "a GGUF file", _PLUGIN),
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", "a PyTorch file of the old kind, a pickle", _PICKLE),
    (b"\x80\x02", "a pickle", _PICKLE),
    (b"\x80\x03", "a pickle", _PICKLE),
    (b"\x80\x04", "a pickle", _PICKLE),
    (b"\x80\x05", "a pickle", _PICKLE),
    (
        b"version https://git-lfs",
        "a Git LFS pointer to the file",
        "fetch it with git lfs pull",
    ),
)

# Protocols 0 and 1 have no mark of their own: they begin with a global, a list, dict or tuple, or an object.
_OLD_PICKLE = re.compile(rb"\(?(c[\w.]+\n[\w.]+\n|i[\w.]+\n[\w.]+\n|[dlt]p\d+\n)|\(?[\]})tl]q.|\([dlt]q.", re.DOTALL)

# Formats without a signature at their very beginning.
_MARKS: tuple[tuple[Callable[[bytes], bool], str, str], ...] = (
    (
        lambda start: start[8:9] == b"{" and start[4:8] == bytes(4),
        "a safetensors file",
        f"{_ARRAYS} safetensors.numpy.load_file",
    ),
    (lambda start: start[257:262] == b"ustar", "a tar archive", _UNPACK),
    (
        lambda start: start[:1] == b"\x08" and start[2:3] in (b"\x12", b"\x1a", b"\x3a"),
        "an ONNX model or other protobuf",
        "the plugin modnet-onnx reads ONNX models: pip install modnet-onnx",
    ),
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
        kind = next((kind for test, kind in _KINDS if test(status.st_mode)), "not a regular file")
        raise NotAModelFile(path, f"this is {kind}")


def other_format(start: bytes) -> str:
    """The probable format of a file that starts with these bytes, and what to do; for "this is ..."."""
    name, hint = _format(start)
    return f"{name}; {hint}" if hint else name


def _format(start: bytes) -> tuple[str, str]:
    """The format, and what to do about it."""
    for signature, name, hint in _SIGNATURES:
        if start.startswith(signature):
            return name, hint
    if _OLD_PICKLE.match(start):
        return "a pickle", _PICKLE
    if start.startswith(b"PK\x03\x04"):
        return _zip(start)
    for has_marks, name, hint in _MARKS:
        if has_marks(start):
            return name, hint
    if _is_text(start):
        return _text(start.decode(errors="ignore"))
    return "not in a format that modnet knows", ""


def _zip(start: bytes) -> tuple[str, str]:
    """The format of a zip archive, by the name of its first file."""
    first = start[30 : 30 + int.from_bytes(start[26:28], "little")]
    if first.endswith(b".npy"):
        return "an archive of numpy arrays (.npz)", f"{_ARRAYS} numpy.load"
    if first.endswith(b"/data.pkl"):
        return "a PyTorch file, a zip archive with a pickle in it", _PICKLE
    if first in (b"metadata.json", b"config.json") and b"keras" in start:
        return "a Keras model (.keras), a zip archive", f"{_ARRAYS} h5py from model.weights.h5 in it"
    return "a zip archive", _UNPACK


def _text(text: str) -> tuple[str, str]:
    text = text.lstrip("\ufeff \t\r\n")
    lines = text.splitlines()
    if text[:5].lower() in ("<!doc", "<html"):
        return "a text file that looks like a web page", "download the file itself"
    if any(line.startswith(("[network]", "[[network.", "network:")) for line in lines) or '"network"' in text:
        return (
            "a text file that looks like a spec",
            "check it with modnet check, and make a model of it with modnet train",
        )
    if text.startswith("{"):
        return "a text file in JSON", "if it is a spec, modnet check says what is wrong with it"
    for separator in ",;\t":
        if len(lines) > 2 and 0 < lines[0].count(separator) == lines[1].count(separator):
            return "a text file that looks like a table", "to predict for its rows: modnet predict MODEL TABLE"
    return "a text file", ""


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if len(start) - error.start > 3:  # otherwise only the last character is cut off
            return False
        text = start[: error.start].decode()
    return bool(text) and all(character.isprintable() or character in "\t\r\n\f\ufeff" for character in text)
