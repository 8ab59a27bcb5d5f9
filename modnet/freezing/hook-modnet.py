"""Of modnet and its plugins: everything that is named by a text, which PyInstaller does not see.

These are the public names, which are loaded when they are first used, and the components, built in or of the plugins
that are installed, with the metadata by which plugins are found. Large libraries that only some functions of modnet use
are taken along if the program imports them itself, or by --hidden-import.
"""

from __future__ import annotations

from PyInstaller.utils.hooks import collect_data_files, collect_submodules, copy_metadata

from modnet.plugins.builtin import CORE
from modnet.plugins.distributions import installed_entry_points

APART = ("modnet.cli", "modnet.freezing", "modnet.testing")
"""What a program that predicts or trains does not use."""

hiddenimports = collect_submodules("modnet", filter=lambda name: not name.startswith(APART))
excludedimports = ["matplotlib", "optuna", "pyarrow"]
datas = [*collect_data_files("modnet.assessment"), *copy_metadata(CORE)]

_found = installed_entry_points()
for _distribution in sorted({entry.dist.name for entry in _found if entry.dist is not None}):
    datas += copy_metadata(_distribution)
for _package in sorted({entry.module.partition(".")[0] for entry in _found}):
    hiddenimports += collect_submodules(_package)
    datas += collect_data_files(_package)
