"""The models that are served, by name and version, and how a replaced file takes the place of the one before it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import modnet
from modnet.errors import ModnetError
from modnet.records import Record
from modnet.words import did_you_mean, show
from modnet_serve.metrics import Metrics
from modnet_serve.refusal import Refusal
from modnet_serve.served import Served

Stamp = tuple[int, int, int, int]
"""What tells a file from the one that it replaces: device, inode, size, and when it was written."""

GONE = "the file is gone"


class Place(Record):
    """A model file and the name that it is served by; the version is that of the file, or its number."""

    name: str
    path: str


class Slot:
    """A model that is served, and its file.

    Attributes:
        served: the model.
        number: its version if the file names none.
        stamp: of the file that was checked last, whether it was loaded or refused; None if there is none.
        failure: why the newest file is not the one that is served; "" if it is.
    """

    def __init__(self, served: Served, number: int, stamp: Stamp | None) -> None:
        self.served, self.number, self.stamp, self.failure = served, number, stamp, ""


class Repository:
    """The models of one server.

    Args:
        slots: the models, those of one name from the oldest version to the newest.
        engine: what computes them.
        metrics: is told of what is served.
        tell: says a line to whoever runs the server.
    """

    def __init__(
        self, slots: Sequence[Slot], engine: str | None, metrics: Metrics, tell: Callable[[str], None]
    ) -> None:
        self._slots, self._engine, self._metrics, self._tell = list(slots), engine, metrics, tell
        self._look = asyncio.Lock()
        self._by_name: dict[str, dict[str, Slot]] = {}
        self._arrange()

    @classmethod
    def load(
        cls, places: Sequence[Place], engine: str | None, metrics: Metrics, tell: Callable[[str], None]
    ) -> Repository:
        """The repository of these files.

        Raises:
            ModnetError, OSError: a file cannot be loaded.
            ValueError: two of them have the same name and version.
        """
        slots: dict[tuple[str, str], Slot] = {}
        for place in places:
            stamp = stamp_of(place.path)
            network = modnet.load(place.path, engine=engine)
            number = 1 + sum(name == place.name for name, _ in slots)
            served = Served.of(place.name, version_of(network, number), place.path, network)
            served.warm()
            taken = slots.setdefault((served.name, served.version), Slot(served, number, stamp))
            if taken.served is not served:
                raise ValueError(
                    f"{taken.served.path} and {served.path} are both {served.name}, version {served.version}; "
                    "name one of them otherwise: NAME=PATH"
                )
        return cls(list(slots.values()), engine, metrics, tell)

    @property
    def slots(self) -> Sequence[Slot]:
        return self._slots

    @property
    def models(self) -> list[Served]:
        return [slot.served for slot in self._slots]

    def versions(self, name: str) -> list[str]:
        return list(self._by_name.get(name, ()))

    def slot(self, name: str, version: str | None = None) -> Slot:
        """The model of a name; without a version the newest.

        Raises:
            Refusal: there is none (404).
        """
        versions = self._by_name.get(name)
        if versions is None:
            known = did_you_mean(name, self._by_name) or f"; there are {', '.join(map(show, self._by_name))}"
            raise Refusal(404, f"no model is called {show(name)}{known}")
        if version is None:
            return next(reversed(versions.values()))
        if version not in versions:
            raise Refusal(404, f"model {show(name)} has no version {show(version)}; there are {', '.join(versions)}")
        return versions[version]

    def only(self) -> Slot:
        """The only model, for requests that name none.

        Raises:
            Refusal: there are several (404).
        """
        if len(self._by_name) > 1:
            raise Refusal(404, f"several models are served: ask /predict/NAME with one of {', '.join(self._by_name)}")
        return self.slot(next(iter(self._by_name)))

    # Replaced files

    async def watch(self, seconds: float) -> None:
        """Looks at the files again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.refresh()

    async def refresh(self) -> None:
        """Loads the files that were replaced, while the old models still serve, and then replaces these.

        A file that cannot be loaded, or would take or give other tensors, is not taken; what is served stays.
        """
        async with self._look:
            for slot in self._slots:
                stamp = stamp_of(slot.served.path)
                if stamp == slot.stamp:
                    continue
                slot.stamp = stamp
                failure = GONE if stamp is None else await asyncio.to_thread(self._reload, slot)
                self._note(slot, failure)

    def _reload(self, slot: Slot) -> str:
        """Loads the file of a slot, and gives why it is not taken; "" if it is."""
        old = slot.served
        try:
            network = modnet.load(old.path, engine=self._engine)
            new = Served.of(old.name, version_of(network, slot.number), old.path, network)
        except (ModnetError, OSError, MemoryError) as error:
            return str(error) or type(error).__name__
        if not old.same_interface(new):
            return f"its tensors are not those of the model that is served: {_difference(old, new)}"
        if new.version != old.version and new.version in self.versions(new.name):
            return f"it is version {new.version}, which is served from another file"
        new.warm()
        slot.served = new
        return ""

    def _note(self, slot: Slot, failure: str) -> None:
        served, slot.failure = slot.served, failure
        self._metrics.reloaded(served.name, served.version, bool(failure))
        what = f"{served.name}, version {served.version}"
        if failure:
            self._tell(f"{what}: the new file is not taken, the old model stays in use: {failure}")
        else:
            self._tell(f"{what}: {served.path} was replaced, and the new file is served")
            self._arrange()

    def _arrange(self) -> None:
        """Makes the models available to requests."""
        found: dict[str, dict[str, Slot]] = {}
        for slot in self._slots:
            found.setdefault(slot.served.name, {})[slot.served.version] = slot
        self._by_name = found
        self._metrics.serving(self.models)


def version_of(network: modnet.Network, number: int) -> str:
    """The version that a model's metadata names, or a number."""
    found = network.card.metadata.get("version")
    if isinstance(found, bool) or not isinstance(found, str | int | float) or "/" in str(found) or not str(found):
        return str(number)
    return str(found)


def name_of(path: str) -> str:
    """The name of a model by that of its file, with what an address cannot have replaced."""
    stem = Path(path).name.removesuffix(".modnet") or "model"
    return "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in stem)


def stamp_of(path: str) -> Stamp | None:
    """What distinguishes the file from a new one at the same path; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _difference(old: Served, new: Served) -> str:
    """The first tensor that differs, in words."""
    for noun, before, after in (("input", old.inputs, new.inputs), ("output", old.outputs, new.outputs)):
        for name in dict.fromkeys(tensor.name for tensor in (*before, *after)):
            found = [next((t.plain() for t in tensors if t.name == name), None) for tensors in (before, after)]
            if found[0] != found[1]:
                shown = [f"{t['datatype']}{t['shape']}" if t else "not there" for t in found]
                return f"{noun} {show(name)} was {shown[0]} and is {shown[1]}"
    return "they come in another order"
