"""From a spec file to the objects of a command: a network, its objective and its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modnet.cli.plugin_file import load_plugin_files
from modnet.cli.settings import parse_settings
from modnet.datasets.load import LoadedData
from modnet.datasets.read import data_of
from modnet.engine.build import folder_of, plan
from modnet.engine.network import Network
from modnet.errors import Problem, SpecError
from modnet.kinds.figures import TEST, VALIDATION
from modnet.model.save import require_savable
from modnet.specs.model import TrainingSpec
from modnet.specs.reader import located_error, read_spec
from modnet.specs.source import Source
from modnet.training.figures import check_figures
from modnet.training.objective import Objective
from modnet.words import legible, path_text


@dataclass(frozen=True)
class Job:
    """A spec file and the network that it describes.

    Attributes:
        path: of the spec.
        source: where everything stands in it.
        settings: what `--set` has replaced.
        network: with fresh parameters, which are drawn when they are first asked for.
    """

    path: Path
    source: Source
    settings: Mapping[str, str]
    network: Network

    @classmethod
    def open(cls, path: str, plugins: Sequence[str] = (), settings: Sequence[str] = ()) -> Job:
        """Reads a spec file and plans its network.

        Raises:
            SpecError: with all faults, each with its place in the file or in `--set`.
        """
        load_plugin_files(plugins)
        overrides = parse_settings(settings)
        given = dict(zip(overrides, settings, strict=False))
        with _settings_named(given):
            spec, source = read_spec(path, overrides=overrides)
            assert source is not None
            try:
                network = plan(spec)
            except SpecError as error:
                raise located_error(error, source) from None
        network.card = network.card.replace(folder=folder_of(path))
        return cls(Path(path), source, given, network)

    def problem(self, keys: tuple[str | int, ...], message: str, hint: str = "") -> SpecError:
        """A fault of this spec at its place."""
        return self.located(SpecError([Problem(path_text(keys), message, hint, keys=keys)]))

    def located(self, error: SpecError) -> SpecError:
        """The error with the places of its problems."""
        return SpecError([named_setting(p, self.settings) for p in located_error(error, self.source).problems])

    def training(self) -> TrainingSpec:
        training = self.network.card.training
        if training is None:
            raise self.problem(("training",), 'missing table; expected [training] with at least loss = "..."')
        return training

    def objective(self) -> Objective:
        """The losses and metrics; they fit the outputs."""
        try:
            return Objective(self.network, self.training())
        except SpecError as error:
            raise self.located(error) from None

    def require_savable(self, objective: Objective | None = None) -> None:
        """Checks that a model file can hold the network after any training.

        Raises:
            SpecError: it cannot.
        """
        names = [] if objective is None else list(objective.figures())
        try:
            require_savable(self.network, [f"{prefix}{name}" for prefix in ("", VALIDATION, TEST) for name in names])
        except SpecError as error:
            raise self.located(error) from None

    def check_figures(self, objective: Objective, validation: bool) -> None:
        """Checks that the run will record the figures that the schedule and the callbacks monitor.

        Raises:
            SpecError: it is not.
        """
        try:
            check_figures(self.training(), objective.figures(validation))
        except SpecError as error:
            raise self.located(error) from None

    def load_data(self) -> LoadedData:
        """The data of the spec; they fit the network.

        Raises:
            SpecError: the spec has no `[data]` table.
            DataError, ShapeError: the data cannot be read, or do not fit.
        """
        try:
            return data_of(self.network)
        except SpecError as error:
            raise self.located(error) from None


def named_setting(problem: Problem, settings: Mapping[str, str]) -> Problem:
    """The problem with `--set KEY=VALUE` as its place, where that is where its value comes from."""
    keys = [str(key) for key in problem.keys]
    for dotted, setting in settings.items():
        parts = dotted.split(".")
        # A table that only --set has made is an unknown key; the place is then that of the table around it.
        made = problem.at_key and parts[: len(keys)] == keys and keys[-1] not in problem.excerpt
        if keys[: len(parts)] == parts or problem.path == dotted or made:
            return problem.replace(file=f"--set {legible(setting)}", line=0, column=0, length=0, excerpt="")
    return problem


@contextmanager
def _settings_named(settings: Mapping[str, str]) -> Iterator[None]:
    try:
        yield
    except SpecError as error:
        raise SpecError([named_setting(problem, settings) for problem in error.problems]) from None
