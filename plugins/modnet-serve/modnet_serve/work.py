"""What is done for a request to infer, and for one with records."""

from __future__ import annotations

from collections.abc import Mapping

from modnet.arrays import Array
from modnet.errors import Fault
from modnet_serve import protocol, recorded
from modnet_serve.jobs import Work
from modnet_serve.metrics import Metrics
from modnet_serve.protocol import Answer
from modnet_serve.served import Served
from modnet_serve.settings import Settings


class Inference(Work):
    """A request of the Open Inference Protocol.

    Args:
        body: of the request, unpacked.
        header_length: its header of that name.
    """

    def __init__(
        self, served: Served, body: bytes, header_length: str | None, settings: Settings, metrics: Metrics
    ) -> None:
        super().__init__(served)
        self._body, self._header_length = body, header_length
        self._settings, self._metrics = settings, metrics
        self._request: protocol.Asked | None = None

    def _asked(self) -> protocol.Asked:
        if self._request is None:
            self._request = protocol.asked(self.served, self._body, self._header_length, self._settings.most_rows)
        return self._request

    def alone(self) -> Answer:
        request = self._asked()
        found = self.served.predict(request.given)
        self._metrics.predicted(self.served.name, request.rows)
        return protocol.answer(self.served, request, found)

    def encoded(self) -> Mapping[str, Array]:
        return self.served.encode(self._asked().given)

    def of_outputs(self, outputs: Mapping[str, Array]) -> Answer:
        request = self._asked()
        self._metrics.predicted(self.served.name, request.rows)
        return protocol.answer(self.served, request, self.served.found(outputs))


class Prediction(Work):
    """Records as JSON.

    Args:
        body: of the request, unpacked.
        report: whether the answer tells of what was replaced, ignored, or outside of what training had.
    """

    def __init__(self, served: Served, body: bytes, report: bool, settings: Settings, metrics: Metrics) -> None:
        super().__init__(served)
        self._body, self._settings, self._metrics = body, settings, metrics
        self._report: list[Fault] | None = [] if report else None
        self._given: recorded.Rows | None = None

    def _rows(self) -> recorded.Rows:
        if self._given is None:
            self._given = recorded.rows_in(self.served, self._body, self._settings.most_rows)
        return self._given

    def alone(self) -> Answer:
        rows = self._rows()
        predictions = recorded.predicted(self.served, rows, self._report)
        self._metrics.predicted(self.served.name, rows.count)
        return recorded.answer(rows, predictions, self._report)

    def encoded(self) -> Mapping[str, Array] | None:
        if self._report is not None:  # it is made where rows are encoded and predicted in one
            return None
        rows = self._rows()
        if self.served.columns:
            return self.served.encode_rows(rows.given)
        return self.served.encode(rows.given)

    def of_outputs(self, outputs: Mapping[str, Array]) -> Answer:
        rows = self._rows()
        self._metrics.predicted(self.served.name, rows.count)
        return recorded.answer(rows, recorded.decoded(self.served, outputs), None)
