"""A plugin of pytest under which this system lacks what Windows lacks.

    PYTHONPATH=tests pytest -p windows -n 0 tests/model/test_edit.py

There are no fcntl, resource, fork and SIGHUP, and a file that is open or mapped is neither replaced nor removed. It is
no Windows: paths, encodings and the console stay as they are. It needs `/proc`, which Linux has.
"""

import errno
import mmap
import os
import shutil
import signal
import sys
from pathlib import Path

MODULES = ("fcntl", "resource", "termios", "pwd", "grp")
OF_OS = "O_NOFOLLOW O_DIRECTORY O_NONBLOCK fchmod fchown geteuid fork register_at_fork sched_getaffinity mkfifo sysconf"
MISSING = {os: OF_OS.split(), signal: ["SIGHUP", "SIGKILL", "SIGALRM"], mmap: ["MADV_DONTNEED"]}


def in_use(path: str | os.PathLike[str]) -> bool:
    """Whether this process has the file open or mapped."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            opened = os.stat(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue
        if (opened.st_dev, opened.st_ino) == (found.st_dev, found.st_ino):
            return True
    return f" {os.path.realpath(path)}\n" in Path("/proc/self/maps").read_text(encoding="utf-8")


def refusing(name: str, paths: int) -> None:
    """Lets a function of `os` refuse what is in use; its first arguments are paths."""
    function = getattr(os, name)

    def refuses(*arguments, **options):
        for path in arguments[:paths]:
            if in_use(path):
                error = PermissionError(errno.EACCES, "The process cannot access the file because it is in use", path)
                error.winerror = 32
                raise error
        return function(*arguments, **options)

    setattr(os, name, refuses)


for module in MODULES:
    sys.modules[module] = None
for module, names in MISSING.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
shutil._use_fd_functions = False
for name, paths in {"replace": 2, "rename": 2, "unlink": 1, "remove": 1}.items():
    refusing(name, paths)
