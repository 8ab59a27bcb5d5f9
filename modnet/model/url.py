"""Model files behind URLs, by fsspec: `s3://bucket/m.modnet`, `memory://m.modnet`, `zip://m.modnet::models.zip`."""

from __future__ import annotations

import errno
import os
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
    system, path = place_of(url)
    try:
        file = system.open(path, "rb")
    except (FileNotFoundError, KeyError) as error:  # the second of archives, in fsspec before 2024.5
        # fsspec tells no more than a path.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from error
    with file:
        yield file


def place_of(url: str) -> tuple[Any, str]:
    """The file system of a URL, as fsspec has it, and the path in it. Raises the errors of `open_url`."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtra("fsspec", extra="fsspec", purpose=f"the URL {url}") from None
    try:
        system, path = url_to_fs(url)
    except ImportError as error:
        raise ModelFileError(url, f"fsspec cannot open this kind of URL here: {error}") from error
    except ValueError as error:
        raise ModelFileError(url, f"fsspec does not know this kind of URL: {error}") from None
    except FileNotFoundError as error:  # of an archive
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from error
    return system, path
