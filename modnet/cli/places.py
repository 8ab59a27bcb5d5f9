"""Checks that a command's output file can be written, before any work is done."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from pathlib import Path

import click

from modnet.errors import ModelFileError, ModnetError, NotAModelFile
from modnet.model.atomic import require_name
from modnet.model.formats import check_format, formats, is_own
from modnet.model.reader import read_header
from modnet.plugins.registry import default_registry


def by_option() -> str:
    """How the running command is told another file, for messages: with -o, unless it has no such option."""
    context = click.get_current_context(silent=True)
    without = context is not None and all("-o" not in parameter.opts for parameter in context.command.params)
    return "" if without else " with -o"


def check_place(path: Path) -> None:
    """Checks, before any work is done, that a file can be written there.

    Raises:
        ModnetError: it is a folder, there is no such folder around it, that may not be written to, the name is too
            long, or it names an open file.
    """
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ModnetError(f"{path}: this name is too long; choose another{by_option()}") from None
    if path.is_dir():
        raise ModnetError(f"{path}: this is a folder; name a file in it{by_option()}")
    _check_name(path)
    folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise ModnetError(f"{path}: there is no folder {folder}; create it, or choose another file{by_option()}")
    try:
        # By writing, since permissions are not enough: there are read-only file systems, quotas and attributes.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModnetError(
            f"{path}: the folder {folder} cannot be written to ({reason}); choose another file{by_option()}"
        ) from None


def _check_name(path: Path) -> None:
    """Checks that a path is a name of a file, and neither one of an open file nor a URL."""
    scheme = path.parts[0] if len(path.parts) > 1 else ""
    if re.fullmatch(r"[A-Za-z][\w+.-]+:", scheme) and not Path(scheme).exists():
        what = "this is a URL, and commands write files of this machine"
        raise ModnetError(f"{scheme}//...: {what}: write one and copy it, or use modnet.save(network, URL)")
    try:
        require_name(path)
    except NotAModelFile:
        raise ModnetError(f"{path}: this is an open file, not the name of one; name a file{by_option()}") from None


def check_output(path: Path) -> None:
    """Checks, before any work is done, that a model can be written there.

    Raises:
        ModnetError: there is no such folder, it may not be written to, nothing writes files of that suffix, or a file
            that is no model file is in the way of one.
    """
    check_place(path)
    registry = default_registry()
    further = not is_own(path) and path.suffix.lower() in formats(registry)
    if not further and path.exists() and (not path.is_file() or path.stat().st_size):
        try:
            read_header(path)
        except NotAModelFile as error:
            found = error.what.partition("; ")[0]
            raise NotAModelFile(
                path, f"{found}, not a model file; it is not overwritten: choose another file{by_option()}"
            ) from None
        except ModelFileError:
            pass  # damaged, or of another version, but a model file, which may be replaced
    if not further:
        check_format(path, registry)
