"""Of the command `modnet`: the bodies of its commands, each of which is imported when it is called."""

from __future__ import annotations

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports = collect_submodules("modnet.cli")
datas = collect_data_files("modnet.cli", include_py_files=True, subdir="templates")
