"""`pytest --modnet-plugin NAME`: a test for each component, kernel and module with hooks of a distribution.

pytest imports this module whenever modnet is installed, so it imports nothing until the option is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("modnet").addoption(
        "--modnet-plugin",
        action="append",
        default=[],
        metavar="NAME",
        help="also examine each component and kernel that the installed distribution NAME offers, rule by rule",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--modnet-plugin"):
        from modnet.testing.items import Collector

        config.pluginmanager.register(Collector(), "modnet-components")
