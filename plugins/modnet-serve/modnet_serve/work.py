"""What is done for a request to infer, and for one with records."""

from __future__ import annotations

from functools import cached_property

from modnet.errors import Fault
from modnet_serve import protocol, recorded
from modnet_serve.jobs import Work
from modnet_serve.protocol import Answer
from modnet_serve.served import Given, Result, Served


class Inference(Work):
    """A request of the Open Inference Protocol.

    Args:
        body: of the request, unpacked.
        header_length: its header of that name.
        most_rows: that it may have.
    """

    def __init__(self, served: Served, body: bytes, header_length: str | None, most_rows: int) -> None:
        super().__init__(served)
        self._body, self._header_length, self._most_rows = body, header_length, most_rows

    @cached_property
    def _asked(self) -> protocol.Asked:
        return protocol.asked(self.served, self._body, self._header_length, self._most_rows)

    def given(self) -> Given:
        return self._asked.given

    def answer(self, result: Result) -> Answer:
        return protocol.answer(self.served, self._asked, self.served.tensors(result))


class Prediction(Work):
    """Records as JSON.

    Args:
        body: of the request, unpacked.
        report: whether the answer tells of what was replaced, ignored, or outside of what training had.
        most_rows: that it may have.
    """

    def __init__(self, served: Served, body: bytes, report: bool, most_rows: int) -> None:
        super().__init__(served)
        self._body, self._most_rows = body, most_rows
        self._report: list[Fault] | None = [] if report else None
        self.joins = not report  # which is of the rows of this request alone

    @cached_property
    def _rows(self) -> recorded.Rows:
        return recorded.rows_of(self.served, self._body, self._most_rows)

    def given(self) -> Given:
        return self._rows.given

    def alone(self) -> Answer:
        if self._report is None or not self.served.columns:
            return super().alone()
        return self.answer(self.served.network.predict(self.given(), report=self._report))

    def answer(self, result: Result) -> Answer:
        return recorded.answer(self._rows, self.served.records(result), self._report)
