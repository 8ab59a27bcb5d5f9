"""Model files behind URLs, by fsspec: `s3://bucket/m.modnet`, `memory://m.modnet`, `zip://m.modnet::models.zip`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeGuard

from modnet.errors import MissingExtra, ModelFileError
from modnet.model.atomic import replace_file


def is_url(place: object) -> TypeGuard[str]:
    """Whether a text is a URL and no path: `s3://bucket/m.modnet`, `simplecache::s3://bucket/m.modnet`."""
    if not isinstance(place, str):
        return False
    scheme, separator, _ = place.partition("://")
    return bool(separator) and len(scheme) > 1 and all(sign.isalnum() or sign in "+-.:" for sign in scheme)


@contextmanager
def open_url(url: str) -> Iterator[BinaryIO]:
    """The file at a URL, open for reading.

    Raises:
        MissingExtra: fsspec, or what it needs for that kind of URL, is not installed.
        ModelFileError: there is no such kind of URL.
        OSError: from the file system.
    """
    with _at(url, "rb") as file:
        yield file


def put(url: str, content: memoryview) -> None:
    """Writes the file at a URL: in one request, so that it is whole or not there; one of this machine as any other.

    Raises:
        ModelFileError: it can only be read: `zip://m.modnet::models.zip`.
        MissingExtra, ModelFileError, OSError: as `open_url`.
    """
    if "::" in url:
        raise ModelFileError(url, "a URL with :: in it can only be read; write the file, and put it there")
    place = _at(url, "wb")
    if "file" in place.fs.protocol:
        replace_file(place.path, [content], durable=True)
    else:
        place.fs.pipe_file(place.path, bytes(content))


def _at(url: str, mode: str) -> Any:
    """What fsspec calls an `OpenFile`: a file system and a path in it."""
    try:
        import fsspec
    except ImportError:
        raise MissingExtra("fsspec", extra="fsspec", purpose=f"the URL {url}") from None
    try:
        return fsspec.open(url, mode)
    except ImportError as error:
        raise ModelFileError(url, f"fsspec cannot open this kind of URL here: {error}") from error
    except ValueError as error:
        raise ModelFileError(url, f"fsspec does not know this kind of URL: {error}") from None
