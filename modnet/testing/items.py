"""The tests that `pytest --modnet-plugin NAME` adds: one for each component, kernel and module with hooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modnet.errors import NotInstalled
from modnet.plugins.registry import default_registry
from modnet.testing.contract import ContractError
from modnet.testing.distribution import Offer, offered_by


class Collector:
    """Adds the tests to those that were collected."""

    # First, so that -k and --deselect see them.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        for name in config.getoption("--modnet-plugin"):
            try:
                offers = offered_by(name, default_registry())
            except NotInstalled as error:
                raise pytest.UsageError(f"--modnet-plugin: {error}") from None
            if not offers:
                raise pytest.UsageError(f"--modnet-plugin: {name} offers no components, kernels or hooks")
            items += [OfferItem.of(session, offer) for offer in offers]


class OfferItem(pytest.Item):
    """The contract of one component or kernel, or of a module with hooks."""

    offer: Offer

    @classmethod
    def of(cls, session: pytest.Session, offer: Offer) -> OfferItem:
        item: OfferItem = cls.from_parent(session, name=str(offer), nodeid=f"{offer.distribution}::{offer}")
        item.offer = offer
        return item

    def runtest(self) -> None:
        self.offer.check()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, ContractError) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.session.path, None, self.name
