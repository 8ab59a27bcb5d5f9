"""The kit with which authors test their components.

`check_component` tests the whole contract of a component, `check_kernel` that of a kernel; `gradients` has the parts
for further tests. The names are loaded when they are first used, because pytest imports this package at every start.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # written by docs/generate.py
    from modnet.testing.contract import ContractError as ContractError
    from modnet.testing.contract import Report as Report
    from modnet.testing.contract import check_component as check_component
    from modnet.testing.contract import check_kernel as check_kernel
    from modnet.testing.contract import examine as examine
    from modnet.testing.contract import examine_kernel as examine_kernel
    from modnet.testing.files import check_files as check_files
    from modnet.testing.files import examine_files as examine_files
    from modnet.testing.files import write_file as write_file
    from modnet.testing.gradients import directional_error as directional_error
    from modnet.testing.gradients import layer_context as layer_context
    from modnet.testing.gradients import layer_gradient_errors as layer_gradient_errors
    from modnet.testing.gradients import layer_inputs as layer_inputs

_HOMES = {
    "modnet.testing.contract": (
        "ContractError",
        "Report",
        "check_component",
        "check_kernel",
        "examine",
        "examine_kernel",
    ),
    "modnet.testing.files": ("check_files", "examine_files", "write_file"),
    "modnet.testing.gradients": ("directional_error", "layer_context", "layer_gradient_errors", "layer_inputs"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'modnet.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return list(__all__)
