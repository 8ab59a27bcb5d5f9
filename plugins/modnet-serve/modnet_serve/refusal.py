"""Requests that are not answered, and what is said instead."""

from __future__ import annotations

from collections.abc import Mapping

from modnet.errors import DataError, ModnetError, ShapeError, TooLarge


class Refusal(Exception):
    """A request that is refused.

    Attributes:
        status: of HTTP.
        message: what was found, what was expected, and where.
        headers: further ones of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.message, self.headers = status, message, dict(headers or {})
        super().__init__(message)


def refusal_of(error: Exception) -> Refusal:
    """What is said of an error of a prediction; an unexpected one says nothing of the server's insides."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, TooLarge):
        return Refusal(413, str(error))
    if isinstance(error, DataError | ShapeError):
        return Refusal(400, str(error))
    if isinstance(error, ModnetError):
        return Refusal(500, str(error))
    return Refusal(500, "an unexpected error, which the server's log shows")
