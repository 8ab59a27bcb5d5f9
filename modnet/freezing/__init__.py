"""Programs that PyInstaller freezes: it asks here (entry point `pyinstaller40`) what they take with them of modnet.

The files `hook-*.py` say so. Each runs in PyInstaller when a program imports the package in its name.
"""

from __future__ import annotations

from pathlib import Path


def hook_folders() -> list[str]:
    """Where the hooks are."""
    return [str(Path(__file__).parent)]
