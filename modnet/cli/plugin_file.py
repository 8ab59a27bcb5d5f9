"""`--plugin FILE`: a Python file with components of the user's own."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from modnet.errors import BrokenPlugin
from modnet.kinds import GROUPS
from modnet.kinds.component import Component
from modnet.plugins.registry import default_registry


def load_plugin_files(files: Sequence[str]) -> None:
    """Runs the files, and registers every component that they define.

    Raises:
        BrokenPlugin: a file is not there, fails, or defines no component; with the file's line.
    """
    for file in files:
        for cls in _components(file, _run(Path(file))):
            default_registry().register(cls)


def _components(file: str, module: ModuleType) -> list[type[Component]]:
    """The components that a file defines itself, without those that it imports."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Component)]
    defined = [cls for cls in classes if cls.__module__ == module.__name__]
    components = [cls for cls in defined if cls.type and cls.kind in GROUPS]
    if not components:
        found = f"; {defined[0].__name__} has no type name" if defined else ""
        raise BrokenPlugin(
            f'{file}: it defines no component{found}; expected a class such as Mine(modnet.Layer, type="mine")'
        )
    return components


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
