"""Model files behind URLs, by fsspec: `s3://bucket/m.modnet`, `memory://m.modnet`, `zip://m.modnet::models.zip`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeGuard

from modnet.errors import MissingExtra, ModelFileError


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
    with url_file(url, "rb") as file:
        yield file


def url_file(url: str, mode: str) -> Any:
    """The `OpenFile` of fsspec: a file system, `fs`, and a `path` in it. Raises the errors of `open_url`."""
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
