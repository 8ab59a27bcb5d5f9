"""Predictions and targets on which losses and metrics are tried: those that a component accepts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from modnet.arrays import Array, Shape
from modnet.testing.contract import Broken, raised
from modnet.testing.given import Given

Maker = Callable[[np.random.Generator, tuple[int, ...]], tuple[Array, Array]]

SHAPES: tuple[Shape, ...] = ((3,), (1,), (4, 3))
"""The shapes of one sample's prediction that are tried by default."""


@dataclass(frozen=True)
class Form:
    """What predictions and targets mean.

    Attributes:
        name: for messages.
        make: (rng, shape with the batch axis) -> prediction and target, in float64 or as labels.
        classes: whether the last axis is one of classes, so that a size of 1 makes no sense.
        unbounded: whether predictions are any numbers, and no probabilities or rates.
        own: whether they are the author's, so that only the author knows their meaning.
    """

    name: str
    make: Maker
    classes: bool = False
    unbounded: bool = False
    own: bool = False


@dataclass(frozen=True)
class Case:
    """A form with the shape of one sample's prediction.

    Attributes:
        form, shape: what they mean and how large they are.
        target_shape: that of one sample's target, if the author gives one that differs from the form's.
    """

    form: Form
    shape: tuple[int, ...]
    target_shape: tuple[int, ...] | None = None

    def data(self, batch: int, seed: int = 0) -> tuple[Array, Array]:
        rng = np.random.default_rng(seed)
        prediction, target = self.form.make(rng, (batch, *self.shape))
        if self.target_shape is not None:
            _, target = self.form.make(rng, (batch, *self.target_shape))
        return prediction, target

    @property
    def factors(self) -> tuple[float, ...]:
        """What predictions may be multiplied by."""
        return (1.0, 10.0, 100.0) if self.form.unbounded else (1.0,)

    def perfect(self, target: Array) -> list[Array]:
        """Predictions that meet the target as well as can be, in the readings of predictions that there are.

        One of them is the target itself, or its one-hot rows; others are those of which a link function makes it, such
        as logits and logarithms of rates. There are none for a target with a shape of its own, or for data of the
        author's.
        """
        if self.target_shape is not None or self.form.own:
            return []
        if target.ndim < len(self.shape) + 1:
            target = np.eye(self.shape[-1])[target]
        target = target.astype(np.float64)
        found = [target]
        if (target >= 0).all():
            found.append(np.log(np.maximum(target, 1e-3)))
            if target.max(initial=0.0) <= 1:
                found.append(20 * target - 10)
        return found

    def __str__(self) -> str:
        return f"{self.form.name} {self.shape}"


def _rows(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Rows of probabilities, none near 0 or 1."""
    rows = rng.uniform(0.2, 1.0, shape)
    return np.asarray(rows / rows.sum(axis=-1, keepdims=True))


def _labels(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(0, max(shape[-1], 2), shape[:-1])


def _one_hot(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])])


def _chances(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.uniform(0.05, 0.95, shape)


def _bits(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(0, 2, shape).astype(np.float64)


FORMS = (
    Form("numbers", lambda rng, shape: (rng.standard_normal(shape), rng.standard_normal(shape)), unbounded=True),
    Form("probabilities and labels", lambda rng, shape: (_rows(rng, shape), _labels(rng, shape)), True),
    Form("probabilities and one-hot rows", lambda rng, shape: (_rows(rng, shape), _one_hot(rng, shape)), True),
    Form("probabilities and rows", lambda rng, shape: (_rows(rng, shape), _rows(rng, shape)), True),
    Form("chances and 0 or 1", lambda rng, shape: (_chances(rng, shape), _bits(rng, shape))),
    Form("rates and counts", lambda rng, shape: (rng.uniform(0.5, 3, shape), rng.poisson(2.0, shape).astype(float))),
    Form("scores and labels", lambda rng, shape: (rng.standard_normal(shape), _labels(rng, shape)), True, True),
    Form(
        "scores and signs", lambda rng, shape: (rng.standard_normal(shape), 2 * _bits(rng, shape) - 1), unbounded=True
    ),
)


PREDICTIONS = (FORMS[0], FORMS[3], FORMS[4])
"""A form for each kind of prediction: any numbers, rows of probabilities, probabilities between 0 and 1."""


WHOLE = ("uint8", "int16", "int32", "int64")
"""The integer dtypes of tables and images."""


def of_whole_numbers(case: Case, batch: int) -> Iterator[tuple[Array, Array, str]]:
    """(prediction, target, another dtype that holds its numbers), where targets of a case can be whole numbers.

    Float targets are skipped if whole numbers would mean something else, namely labels.
    """
    prediction, target = case.data(batch)
    if target.dtype.kind == "f":
        if case.form.own or case.form.classes or (target.ndim == 1 or target.ndim < prediction.ndim):
            return
        if case.form.name == "numbers":
            target = np.abs(np.round(50 * target)).astype(np.float64)
    for dtype in WHOLE:
        if dtype != str(target.dtype) and (target.astype(dtype) == target).all():
            yield prediction, target, dtype


def cases(
    shapes: Sequence[Shape],
    try_out: Callable[[Array, Array], bool],
    given: Given | None = None,
    needs_target: bool = True,
) -> list[Case]:
    """The cases that a component accepts.

    Args:
        shapes: those of prediction and target, or none.
        try_out: whether it takes a prediction and a target; an error means no.
        given: the author's own predictions and targets, which it must take.
        needs_target: whether the target matters; else one form for each kind of predictions is enough.

    Raises:
        Broken: there are none.
    """
    if given is not None:
        return [_own(given, try_out, needs_target)]
    errors: list[Exception] = []
    found = list(_accepted(shapes, try_out, FORMS if needs_target else PREDICTIONS, errors))
    if not found:
        tried = f"the {len(FORMS)} kinds of predictions and targets that were tried"
        first = f"; the first gives {raised(errors[0])}" if errors else ""
        raise Broken(f"it takes none of {tried}, for the shapes {shapes or SHAPES}{first}")
    return found


def _own(given: Given, try_out: Callable[[Array, Array], bool], needs_target: bool) -> Case:
    """The case of the author's own data; what the component raises for them is raised."""

    def make(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Array]:
        (prediction,), target = given.rows(shape[0], int(rng.integers(1 << 16)))
        if target is None and needs_target:
            raise Broken("the data of its example have no target (y); expected (x, y), prediction and target")
        target = prediction if target is None else target
        return prediction.astype(np.float64), target.astype(np.float64) if target.dtype.kind == "f" else target

    case = Case(Form("data of its example", make, own=True), given.shapes[0])
    if not try_out(*case.data(64)):
        raise Broken("its values for the data of its example are not finite")
    return case


def _accepted(
    shapes: Sequence[Shape],
    try_out: Callable[[Array, Array], bool],
    forms: Sequence[Form],
    errors: list[Exception],
) -> Iterator[Case]:
    """The cases that a component takes; what it raises for the others is added to `errors`."""
    for shape, form in itertools.product(shapes[:1] or SHAPES, forms):
        case = _case(form, shape, *shapes[1:])
        if form.classes and case.shape[-1:] == (1,):
            continue
        prediction, target = case.data(64)  # enough samples to contain one of a wrong kind
        if len(shapes) > 1 and len(shapes[1]) != target.ndim - 1:
            continue
        try:
            taken = try_out(prediction, target)
        except Exception as error:  # many do not check shapes, because the network has done so
            errors.append(error)
            continue
        if taken:
            yield case


def _case(form: Form, prediction: Shape, target: Shape | None = None) -> Case:
    """A form on shapes, whose variable axes get the size 3; targets of classes have the form's own shape."""
    case = Case(form, tuple(3 if axis is None else axis for axis in prediction))
    if target is None or form.classes:
        return case
    wanted = tuple(3 if axis is None else axis for axis in target)
    return case if wanted == case.shape else replace(case, target_shape=wanted)
