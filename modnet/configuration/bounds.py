"""The bounds of a number, which a type hint cannot express."""

from __future__ import annotations

import math
from collections.abc import Iterator


class Bounds:
    """The limits of a number.

    Attributes:
        minimum, maximum: inclusive bounds.
        above, below: exclusive bounds.
    """

    __slots__ = ("above", "below", "maximum", "minimum")

    def __init__(
        self,
        minimum: float | None = None,
        maximum: float | None = None,
        above: float | None = None,
        below: float | None = None,
    ) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.above = above
        self.below = below

    def __str__(self) -> str:
        """The bounds as they are written after "a number": ">= 0 and < 1", or ""."""
        signs = ((">=", self.minimum), (">", self.above), ("<=", self.maximum), ("<", self.below))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in signs if bound is not None)

    def admits(self, number: float) -> bool:
        """Whether a number is within the bounds."""
        return (
            (self.minimum is None or number >= self.minimum)
            and (self.maximum is None or number <= self.maximum)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def keywords(self) -> dict[str, float]:
        """The bounds as JSON Schema has them."""
        keywords = {
            "minimum": self.minimum,
            "exclusiveMinimum": self.above,
            "maximum": self.maximum,
            "exclusiveMaximum": self.below,
        }
        return {keyword: bound for keyword, bound in keywords.items() if bound is not None}

    def sample(self, preferred: float, *, whole: bool = False) -> float:
        """A number within the bounds: the preferred one, or one near them.

        Raises:
            LookupError: none was found.
        """
        for number in (preferred, *self._candidates()):
            for rounded in (math.floor(number), math.ceil(number)) if whole else (number,):
                if self.admits(rounded):
                    return rounded
        raise LookupError(f"found no number that is {self}")

    def _candidates(self) -> Iterator[float]:
        low = self.above if self.minimum is None else self.minimum
        high = self.below if self.maximum is None else self.maximum
        if low is not None and high is not None:
            yield (low + high) / 2
        if low is not None:
            yield from (low + 1, low)
        if high is not None:
            yield from (high - 1, high)


UNBOUNDED = Bounds()
