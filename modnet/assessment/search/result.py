"""What a search has found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from modnet.assessment.search.space import Space
from modnet.assessment.search.study import STOPPED, optuna_library
from modnet.engine.network import Network
from modnet.records import Record, fresh
from modnet.specs.model import Spec

DONE, PRUNED, FAILED, CUT_OFF = "done", "pruned", "failed", "cut off"
"""What became of a trial: it ended; it was stopped early, as others were better; it failed; it is to be done again."""

FEWEST = 8
"""Of how many trials it can be said what mattered."""

GOOD = 10
"""What mattered is what sets so many of the best trials apart from the others, or a tenth of them if that is more."""


class Trial(Record):
    """One training of a search.

    Attributes:
        number: counted from 1.
        outcome: "done", "pruned", "failed" or "cut off".
        values: dotted path -> the value that was tried.
        value: the figure of the epoch whose weights the network had in the end; of a trial that was pruned, of the last
            epoch at which it was looked at; or None.
        figures: name -> value, for a trial that is done.
        epochs: how many there were.
        seconds: how long it took.
        error: why it failed, or "".
        repeats: the number of an earlier trial with the same values, whose outcome this one has; or None.
    """

    number: int
    outcome: str
    values: dict[str, Any]
    value: float | None = None
    figures: dict[str, Any] = fresh(factory=dict)
    epochs: int = 0
    seconds: float = 0.0
    error: str = ""
    repeats: int | None = None

    def plain(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__match_args__}


class SearchResult(Record, eq=False):
    """The trials of a search, the best spec and network, and what mattered.

    Attributes:
        trials: all that began, in order.
        monitor: the figure by which they are compared.
        greater: whether greater values of it are better.
        best: the best trial that is done, or None.
        spec: with the values of the best trial, and without the `[search]` table; or None.
        model: the model file of the best trial, or None.
        network: that of the best trial, where Python has asked; or None.
        importance: dotted path -> its share in what made trials good, the greatest first; empty after too few trials.
            By PED-ANOVA (Watanabe, Bansal and Hutter 2023, arXiv:2304.10255).
        own: the number of the trial with the spec's own values, or None.
        stopped: why the search ended before its last trial ("interrupted" by Ctrl-C, for example), or "".
        notes: lines about the data.
    """

    trials: Sequence[Trial]
    monitor: str
    greater: bool
    best: Trial | None = None
    spec: Spec | None = None
    model: Path | None = None
    network: Network | None = None
    importance: Mapping[str, float] = fresh(factory=dict)
    own: int | None = None
    stopped: str = ""
    notes: Sequence[str] = ()

    def ranking(self) -> list[Trial]:
        """The trials, the best first: those that are done, then those that were pruned, then those that failed."""
        order = (DONE, PRUNED, FAILED, CUT_OFF)
        sign = -1.0 if self.greater else 1.0

        def rank(trial: Trial) -> tuple[int, float, int]:
            value = float("inf") if trial.value is None else sign * trial.value
            return order.index(trial.outcome), value, trial.number

        return sorted(self.trials, key=rank)

    def plain(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "monitor": self.monitor,
            "greater_is_better": self.greater,
            "best": None if self.best is None else self.best.plain(),
            "own": self.own,
            "importance": dict(self.importance),
            "stopped": self.stopped,
            "trials": [trial.plain() for trial in self.trials],
        }


def trials_of(study: Any, space: Space) -> list[Trial]:
    """The trials of a study that have begun."""
    states = optuna_library().trial.TrialState
    return [trial_of(one, space) for one in study.get_trials(deepcopy=False) if one.state != states.WAITING]


def trial_of(frozen: Any, space: Space) -> Trial:
    """A trial of optuna as one of ours."""
    states, known = optuna_library().trial.TrialState, frozen.user_attrs
    outcome = CUT_OFF
    if frozen.state == states.COMPLETE:
        outcome = DONE
    elif frozen.state == states.PRUNED:
        outcome = FAILED if "error" in known else PRUNED
    return Trial(
        frozen.number + 1,
        outcome,
        space.given(frozen.params),
        _last_value(frozen) if outcome in (DONE, PRUNED) else None,
        known.get("figures", {}),
        known.get("epochs", 0),
        known.get("seconds", 0.0),
        known.get("error", ""),
        known.get("repeats"),
    )


def counts(frozen: Any) -> bool:
    """Whether a trial of optuna is one of those that were asked for: it has ended, and is not to be done again."""
    return bool(frozen.state.is_finished()) and STOPPED not in frozen.user_attrs and frozen.state.name != "FAIL"


def importance_of(study: Any) -> dict[str, float]:
    """What mattered, the greatest share first; empty where there are too few trials to say.

    Trials that were pruned take part with the last figure that they had, and those that failed as the worst: what makes
    a trial hopeless matters, too, and optuna by itself looks at trials that are done alone.
    """
    ended = [frozen for frozen in study.get_trials(deepcopy=False) if counts(frozen)]
    known = {value for value in map(_last_value, ended) if value is not None}
    if len(ended) < FEWEST or len(known) < 2:
        return {}
    worst = min(known) if study.direction.name == "MAXIMIZE" else max(known)
    whole = optuna_library().create_study(direction=study.direction)
    whole.add_trials([_as_done(frozen, worst) for frozen in ended])
    evaluator = _evaluator(min(0.5, max(0.1, GOOD / len(ended))))
    found = optuna_library().importance.get_param_importances(whole, evaluator=evaluator)
    return dict(sorted(((name, float(share)) for name, share in found.items()), key=lambda pair: -pair[1]))


def _evaluator(share: float) -> Any:
    """What finds out what sets a share of the trials apart, the best ones."""
    evaluator = optuna_library().importance.PedAnovaImportanceEvaluator
    # optuna 4 has another name for it.
    known = signature(evaluator).parameters
    return evaluator(**{"target_quantile" if "target_quantile" in known else "baseline_quantile": share})


def _as_done(frozen: Any, worst: float) -> Any:
    """A trial of optuna as if it had come to its end."""
    value = _last_value(frozen)
    return optuna_library().trial.create_trial(
        params=frozen.params, distributions=frozen.distributions, value=worst if value is None else value
    )


def _last_value(frozen: Any) -> float | None:
    """The figure of a trial of optuna; None if it failed, or has none that is a number."""
    steps = frozen.intermediate_values
    value = frozen.value if frozen.state.name == "COMPLETE" else steps[max(steps)] if steps else None
    return None if "error" in frozen.user_attrs or value is None or not math.isfinite(value) else float(value)
