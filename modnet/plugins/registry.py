"""Discovery and look-up of components: (kind, type name) -> class, and where it comes from."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from modnet.errors import AmbiguousType, BrokenPlugin, NotInstalled, PluginError, UnknownType
from modnet.kinds import GROUPS, KINDS, kinds_within
from modnet.kinds.component import Component
from modnet.plugins.builtin import BUILTIN, CORE
from modnet.plugins.distributions import entry_points_of_distribution, installed_entry_points, normalized
from modnet.records import Record
from modnet.threads import lock_for_filling
from modnet.words import did_you_mean, show

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from modnet.plugins.hooks import HookManager, HookModule
    from modnet.plugins.kernels import Kernels

C = TypeVar("C", bound=Component)


class Origin(Record):
    """Where a component class comes from.

    Attributes:
        kind, type: its kind and type name.
        distribution, version: the installed distribution that offers it; "" for a class registered by a program.
        value: the entry point's value, `package.module:Class`.
    """

    kind: str
    type: str
    distribution: str
    version: str
    value: str


class Entry:
    """An available component, loaded or not.

    Attributes:
        origin: its name and where it comes from.
        cls: the class, once loaded.
        error: why it cannot be loaded, once that has been tried.
    """

    __slots__ = ("cls", "error", "origin")

    def __init__(self, origin: Origin, cls: type[Component] | None = None) -> None:
        self.origin = origin
        self.cls = cls
        self.error: BrokenPlugin | None = None

    def load(self) -> type[Component]:
        """The class.

        Safe for threads: Python's import system makes sure that only one of them runs the module.

        Raises:
            BrokenPlugin: it cannot be imported or is not a component of its kind; its own error is the cause.
        """
        if self.cls is not None:
            return self.cls
        if self.error is not None:
            raise self.error
        try:
            self.cls = self._import()
        except BrokenPlugin as error:
            broken = error
        except Exception as error:
            broken = BrokenPlugin(f"{self.label} cannot be imported: {type(error).__name__}: {error}")
            broken.__cause__ = error
        else:
            return self.cls
        if not self._is_being_imported():
            self.error = broken
        raise broken

    @property
    def label(self) -> str:
        """Its name in messages."""
        origin = self.origin
        return f"{origin.kind} {show(origin.type)} of {origin.distribution} {origin.version} ({origin.value})"

    def _is_being_imported(self) -> bool:
        """Whether its module is only partly imported, as in a circular import: a missing name may come later."""
        module = sys.modules.get(self.origin.value.partition(":")[0])
        return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))

    def _import(self) -> type[Component]:
        module, colon, qualified = self.origin.value.partition(":")
        if not colon:
            raise BrokenPlugin(f"{self.label} names no class; write {':'.join(module.rsplit('.', 1))}")
        found: Any = importlib.import_module(module)
        for part in qualified.split("."):
            found = getattr(found, part)
        base = KINDS[self.origin.kind]
        if not (isinstance(found, type) and issubclass(found, base)):
            raise BrokenPlugin(f"{self.label} is not a subclass of modnet.{base.__name__}{_instead(found)}")
        found.checkers()  # fails for annotations that cannot be resolved: here, where the plugin is to blame
        if not found.type:
            named = f'class {found.__name__}({found.__bases__[0].__name__}, type="{self.origin.type}")'
            raise BrokenPlugin(f"{self.label} has no type name; write {named}")
        if found.type != self.origin.type:
            raise BrokenPlugin(
                f"{self.label} has the type name {show(found.type)}; entry point and class must have the same name"
            )
        return found


class Registry:
    """The available components: those of the core, those registered by the program, those of installed plugins.

    Args:
        entry_points: returns the installed entry points; by default those of this environment. They are scanned once,
            when a name is needed that neither the core nor the program has. For `name@distribution`, as in model files,
            only that distribution is read.
    """

    def __init__(self, entry_points: Callable[[], Iterable[EntryPoint]] | None = None) -> None:
        self._entry_points = entry_points or installed_entry_points
        self._alone = entry_points_of_distribution if entry_points is None else None
        self._offered: dict[str, dict[tuple[str, str], Entry]] = {}
        self._builtin = {
            (kind, name): Entry(Origin(kind, name, CORE, "", value))
            for kind, group in GROUPS.items()
            for name, value in BUILTIN[group].items()
        }
        self._registered: dict[tuple[str, str], Entry] = {}
        self._installed: dict[tuple[str, str], list[Entry]] | None = None
        self._further: dict[str, list[EntryPoint]] = {}
        self._hooks: tuple[HookManager, list[HookModule]] | None = None
        self._kernels: Kernels | None = None

    def find(self, kind: type[C], name: str) -> type[C]:
        """The component class of a kind, by its type name, or by `name@distribution`.

        Raises:
            UnknownType: there is no such component; the message suggests the nearest name.
            AmbiguousType: two plugins offer it.
            NotInstalled: the distribution in the name is not installed.
            BrokenPlugin: it cannot be imported.
        """
        return cast(type[C], self.entry(kind, name).load())

    def entry(self, kind: type[Component], name: str) -> Entry:
        """The entry that `find` would load; raises the same errors, except BrokenPlugin."""
        name, _, distribution = name.partition("@")
        found = self._named(kinds_within(kind.kind), name, distribution)
        if len(found) > 1:
            choices = " or ".join(sorted(f"{name}@{entry.origin.distribution}" for entry in found))
            raise AmbiguousType(f"{len(found)} plugins offer the {kind.kind} {show(name)}; write {choices}")
        if not found:
            raise self._unknown(kind, name, distribution)
        return found[0]

    def _named(self, kinds: Sequence[str], name: str, distribution: str) -> list[Entry]:
        """The entries for a name: those of the core and of the program come before those of plugins."""
        keys = [(kind, name) for kind in kinds]
        if distribution:
            core = normalized(distribution) == CORE
            return _at(keys, self._builtin if core else self._offered_by(distribution))
        # Installed plugins come last, so that a network of built-in layers never scans the environment.
        known = _at(keys, self._builtin) or _at(keys, self._registered)
        return known[:1] or [entry for key in keys for entry in self.installed.get(key, [])]

    def is_taken(self, kind: type[Component], name: str) -> bool:
        """Whether a bare name means a component of the core or of the program, so that plugins need `name@...`."""
        return any((k, name) in table for k in kinds_within(kind.kind) for table in (self._builtin, self._registered))

    def _offered_by(self, distribution: str) -> dict[tuple[str, str], Entry]:
        """The components of one distribution; without reading the others, unless that has been done already."""
        name = normalized(distribution)
        offered = self._offered.get(name)
        if offered is None:
            with _filling:
                offered = self._offered.get(name)
                if offered is None:
                    offered = self._offered[name] = {_key(entry): entry for entry in self._entries_of(name)}
        return offered

    def _entries_of(self, distribution: str) -> list[Entry]:
        if self._alone is not None and self._installed is None:
            return [entry for point in self._alone(distribution) if (entry := _entry_of(point)) is not None]
        everything = [entry for entries in self.installed.values() for entry in entries]
        return [entry for entry in everything if normalized(entry.origin.distribution) == distribution]

    def _unknown(self, kind: type[Component], name: str, distribution: str) -> PluginError:
        what = f"{kind.kind} {show(name)}"
        if distribution:
            return self._not_offered(what, distribution)
        kinds = [other for other, known in self._keys() if known == name]
        if kinds:
            found = _with_article(min(kinds, key=list(KINDS).index))
            meant = did_you_mean(name, self.names(kind))
            return UnknownType(f"expected {_with_article(kind.kind)}, found {show(name)}, which is {found}{meant}")
        suggestion = did_you_mean(name, self.names(kind))
        hint = f"no installed plugin has this {kind.kind}; `modnet plugins --all` lists all components"
        for point, fault in self.strays:
            if point.name == name and point.dist is not None:
                suggestion, hint = "", f"{point.dist.name} offers one in an unknown group: {fault}"
        return UnknownType(f"unknown {what}{suggestion}", "" if suggestion else hint)

    def _not_offered(self, what: str, distribution: str) -> PluginError:
        offers = {normalized(e.origin.distribution) for entries in self.installed.values() for e in entries}
        if normalized(distribution) in offers | {CORE}:
            return UnknownType(f"{distribution} does not have the {what}")
        return NotInstalled(f"{what}: {distribution} is not installed:  pip install {distribution}", distribution)

    def _keys(self) -> set[tuple[str, str]]:
        return {*self._builtin, *self._registered, *self.installed}

    def names(self, kind: type[Component]) -> list[str]:
        """The type names that a spec can use for a component of a kind, sorted."""
        kinds = kinds_within(kind.kind)
        return sorted({name for kind_name, name in self._keys() if kind_name in kinds})

    def entries(self, kind: type[Component] | None = None) -> Iterator[Entry]:
        """All available components, those of the core first; nothing is imported."""
        kinds = kinds_within(kind.kind) if kind else tuple(GROUPS)
        for table in (self._builtin, self._registered):
            for (kind_name, _), entry in sorted(table.items(), key=lambda item: item[0]):
                if kind_name in kinds:
                    yield entry
        for (kind_name, _), offered in sorted(self.installed.items(), key=lambda item: item[0]):
            if kind_name in kinds:
                yield from offered

    def register(self, cls: type[C]) -> type[C]:
        """Registers a component class of the running program; usable as a decorator.

        Registering a class again (a notebook cell that runs twice) replaces it.

        Raises:
            PluginError: the class has no type name, or its name belongs to the core or to another class.
        """
        if not (isinstance(cls, type) and issubclass(cls, Component)) or cls.kind not in GROUPS:
            raise PluginError(f"{show(cls)} is not a component class; derive it from modnet.Layer or another kind")
        if not cls.type:
            raise PluginError(f'{cls.__name__} has no type name; write class {cls.__name__}(..., type="...")')
        try:
            cls.checkers()
        except NameError as error:
            raise PluginError(f"{cls.__name__}: the annotation of a field cannot be resolved: {error}") from error
        key = (cls.kind, cls.type)
        value = f"{cls.__module__}:{cls.__qualname__}"
        if any((kind, cls.type) in self._builtin for kind in kinds_within(cls.kind)):
            raise PluginError(
                f"{cls.kind} {show(cls.type)} belongs to the core and cannot be replaced; choose another name"
            )
        with _filling:
            if key in self._registered and self._registered[key].origin.value != value:
                raise PluginError(
                    f"{cls.kind} {show(cls.type)} is already registered, as {self._registered[key].origin.value}"
                )
            # A new table, because another thread may be iterating over the old one without a lock.
            self._registered = {**self._registered, key: Entry(Origin(*key, "", "", value), cls)}
        return cls

    def origin(self, cls: type[Component]) -> Origin:
        """Where a component class comes from; a class that this registry does not know counts as the program's own."""
        key = (cls.kind, cls.type)
        value = f"{cls.__module__}:{cls.__qualname__}"
        if key in self._builtin and self._builtin[key].origin.value == value:
            return Origin(*key, CORE, sys.modules["modnet"].__version__, value)
        candidates = [self._registered[key]] if key in self._registered else []
        candidates += self.installed.get(key, []) if cls.__module__.partition(".")[0] != "modnet" else []
        found = (entry.origin for entry in candidates if entry.cls is cls or entry.origin.value == value)
        return next(found, Origin(*key, "", "", value))

    def distribution_of(self, module: str) -> str:
        """The plugin, with its version, that has entry points in the package of a module; or ""."""
        package = module.partition(".")[0]
        points = [point for offered in self._further_points().values() for point in offered]
        found = {point.value: f"{point.dist.name} {point.dist.version}" for point in points if point.dist}
        origins = [entry.origin for entries in self.installed.values() for entry in entries]
        found |= {origin.value: f"{origin.distribution} {origin.version}" for origin in origins}
        return next((label for value, label in found.items() if re.split("[.:]", value)[0] == package), "")

    @property
    def installed(self) -> dict[tuple[str, str], list[Entry]]:
        """The components of installed plugins; scans the environment the first time."""
        installed = self._installed
        if installed is None:
            with _filling:
                installed = self._installed
                if installed is None:
                    installed = self._scan()
        return installed

    def _scan(self) -> dict[tuple[str, str], list[Entry]]:
        installed: dict[tuple[str, str], list[Entry]] = {}
        further: dict[str, list[EntryPoint]] = {}
        for entry_point in self._entry_points():
            entry = _entry_of(entry_point)
            if entry is None:
                further.setdefault(entry_point.group, []).append(entry_point)
                continue
            # An entry that `_offered_by` has made stays the one, since it may hold the loaded class.
            known = self._offered.get(normalized(entry.origin.distribution), {}).get(_key(entry))
            installed.setdefault(_key(entry), []).append(known or entry)
        self._further = further
        self._installed = installed  # last: readers without the lock then find `_further` filled, too
        return installed

    @property
    def hooks(self) -> HookManager:
        """The installed plugins' hooks, imported the first time; `hook_modules` has those that failed."""
        return self._joined_hooks()[0]

    def join(self, module: object, label: str) -> None:
        """Adds the hooks of a module of the running program, which are asked before those of installed plugins.

        Adding hooks again under the same label replaces them.

        Args:
            module: a module, or another object, with functions marked by `@modnet.hookimpl`.
            label: its name in messages.

        Raises:
            BrokenPlugin: a hook does not exist or has the wrong arguments.
        """
        hooks, name = self.hooks, f"program:{label}"
        if hooks.has_plugin(name):
            hooks.unregister(name=name)
        hooks.join(module, name, label)

    @property
    def hook_modules(self) -> Sequence[HookModule]:
        """The modules of `hooks`, each with its hooks, or with the error for which it is left out."""
        return self._joined_hooks()[1]

    def _joined_hooks(self) -> tuple[HookManager, list[HookModule]]:
        hooks = self._hooks
        if hooks is None:
            from modnet.plugins.hooks import GROUP, installed_hooks

            # Not under the lock: this imports plugins, which may use the registry. The first thread to finish wins.
            made = installed_hooks(self._entry_points_of(GROUP))
            with _filling:
                hooks = self._hooks = self._hooks or made
        return hooks

    @property
    def kernels(self) -> Kernels:
        """The installed plugins' kernels; each is imported when a training first needs it."""
        kernels = self._kernels
        if kernels is None:
            from modnet.plugins.kernels import GROUP, Kernels

            made = Kernels(self._entry_points_of(GROUP), self._means)
            with _filling:
                kernels = self._kernels = self._kernels or made
        return kernels

    def _repr_html_(self) -> str:
        from modnet.plugins.notebook import registry_html  # not at the top: for notebooks alone

        origins = (entry.origin for entry in self.entries())
        return registry_html((origin.distribution, origin.kind, origin.type) for origin in origins)

    def _means(self, cls: type[Component]) -> bool:
        """Whether the type name of a component class means this class, and not another one."""
        try:
            return self.find(KINDS[cls.kind], cls.type) is cls
        except PluginError:
            return False

    def _entry_points_of(self, group: str) -> list[EntryPoint]:
        return self._further_points().get(group, [])

    @property
    def strays(self) -> list[tuple[EntryPoint, str]]:
        """The installed entry points in groups that modnet does not read, each with what is wrong with it."""
        from modnet.plugins.hooks import GROUP as HOOKS
        from modnet.plugins.kernels import GROUP as KERNELS

        read = (*GROUPS.values(), HOOKS, KERNELS)
        strays = [(group, points) for group, points in self._further_points().items() if group not in read]
        return [
            (point, f"modnet has no group of entry points {show(group)}{did_you_mean(group, read)}")
            for group, points in strays
            for point in points
        ]

    def _further_points(self) -> dict[str, list[EntryPoint]]:
        """Group -> the installed entry points that are not components: hooks and kernels."""
        _ = self.installed  # fills `_further`
        return self._further


def _entry_of(entry_point: EntryPoint) -> Entry | None:
    """The component that an entry point names, or None for one of another group."""
    kind = next((kind for kind, group in GROUPS.items() if group == entry_point.group), None)
    if kind is None:
        return None
    name, version = (entry_point.dist.name, entry_point.dist.version) if entry_point.dist else ("", "")
    return Entry(Origin(kind, entry_point.name, name, version, entry_point.value))


def _instead(found: object) -> str:
    """What an entry point names in place of a component class of its kind, for a message; "" for any other class."""
    if not isinstance(found, type):
        return f", but an object of type {type(found).__name__}; name the class"
    if issubclass(found, Component) and found.kind in GROUPS:
        return f", but of modnet.{KINDS[found.kind].__name__}: its group is {GROUPS[found.kind]}"
    return ""


def _at(keys: Iterable[tuple[str, str]], table: Mapping[tuple[str, str], Entry]) -> list[Entry]:
    return [table[key] for key in keys if key in table]


def _key(entry: Entry) -> tuple[str, str]:
    return entry.origin.kind, entry.origin.type


def _with_article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def default_registry() -> Registry:
    """The registry of this process, used if no other is given."""
    global _default
    registry = _default
    if registry is None:
        with _filling:
            registry = _default = _default or Registry()
    return registry


_default: Registry | None = None
_filling = lock_for_filling()
