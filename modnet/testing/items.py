"""The tests that `pytest --modnet-plugin NAME` adds: one for each component."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modnet.errors import NotInstalled
from modnet.registry import Entry, default_registry
from modnet.testing.contract import ContractError
from modnet.testing.distribution import examine_entry, offered_by


class Collector:
    """Adds the tests to those that were collected."""

    # First, so that -k and --deselect see them.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        for name in config.getoption("--modnet-plugin"):
            try:
                entries = offered_by(name, default_registry())
            except NotInstalled as error:
                raise pytest.UsageError(f"--modnet-plugin: {error}") from None
            if not entries:
                raise pytest.UsageError(f"--modnet-plugin: {name} offers no components")
            items += [ComponentItem.of(session, entry) for entry in entries]


class ComponentItem(pytest.Item):
    """The contract of one component."""

    entry: Entry

    @classmethod
    def of(cls, session: pytest.Session, entry: Entry) -> ComponentItem:
        origin = entry.origin
        name = f"{origin.kind} {origin.type}"
        item: ComponentItem = cls.from_parent(session, name=name, nodeid=f"{origin.distribution}::{name}")
        item.entry = entry
        return item

    def runtest(self) -> None:
        broken = [report for report in examine_entry(self.entry) if report.failures]
        if broken:
            raise ContractError(broken)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, ContractError) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.session.path, None, self.name
