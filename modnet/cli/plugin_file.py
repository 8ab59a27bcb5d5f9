"""`--plugin FILE`: a Python file with components or hooks of the user's own."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from modnet.errors import BrokenPlugin
from modnet.kinds import GROUPS
from modnet.kinds.component import Component
from modnet.plugins.registry import default_registry

ONLY_INSTALLED = "modnet_commands"
"""The hook that a file cannot have: by the time that the file is run, the command line has been read."""


def load_plugin_files(files: Sequence[str]) -> None:
    """Runs the files, and registers every component and every hook that they define.

    Raises:
        BrokenPlugin: a file is not there, fails, or defines neither; or a hook does not exist or has the wrong
            arguments; with the file's line.
    """
    for file in files:
        _register(file, _run(Path(file)))


def _register(file: str, module: ModuleType) -> None:
    defined, hooks = _defined(module), _hooks(module)
    components = [cls for cls in defined if cls.type and cls.kind in GROUPS]
    if not components and not hooks:
        raise BrokenPlugin(f"{file}: {_neither(module, defined)}")
    if hooks == [ONLY_INSTALLED] and not components:
        raise BrokenPlugin(f"{file}: {ONLY_INSTALLED} is only called for installed plugins: modnet new-plugin")
    for cls in components:
        default_registry().register(cls)
    if hooks:
        default_registry().join(module, file)


def _defined(module: ModuleType) -> list[type[Component]]:
    """The classes of components that a file defines itself, without those that it imports."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Component)]
    return [cls for cls in classes if cls.__module__ == module.__name__]


def _hooks(module: ModuleType) -> list[str]:
    """The names of its functions that are marked as hooks."""
    return [name for name, value in vars(module).items() if callable(value) and hasattr(value, "modnet_impl")]


def _neither(module: ModuleType, defined: Sequence[type[Component]]) -> str:
    """What is wrong with a file that has no component and no hook."""
    found = [f"{cls.__name__} has no type name" for cls in defined]
    found += [
        f"{name} is not marked as a hook: put @modnet.hookimpl above it"
        for name, value in vars(module).items()
        if name.startswith("modnet_") and inspect.isfunction(value)
    ]
    told = f"; {found[0]}" if found else ""
    return (
        f"it defines no component and no hook{told}; expected a class such as "
        'Mine(modnet.Layer, type="mine"), or a function such as modnet_read_data(path) below @modnet.hookimpl'
    )


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "a pipe or device" if path.exists() else ""
        raise BrokenPlugin(f"{path}: {kind}; expected a Python file" if kind else f"{path}: no such file")
    # With a prefix: a file called json.py must not replace the module json in sys.modules.
    name = f"plugin_file_{path.stem}"
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise BrokenPlugin(f"{_place(path, error)}: {type(error).__name__}: {reason}") from error
    return module


def _place(path: Path, error: BaseException) -> str:
    """The line of the file in which an error was raised, as FILE:LINE, or only the file."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}" if error.lineno else str(path)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)
