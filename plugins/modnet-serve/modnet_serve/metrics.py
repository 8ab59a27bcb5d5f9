"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from modnet_serve.served import Served

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
REQUESTS = (1, 2, 4, 8, 16, 32, 64)
ROWS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        model = ("model", "version")
        text = "Requests, by address and status of the answer."
        self._requests = Counter("modnet_requests", text, ("endpoint", "model", "code"), registry=registry)
        text = "From the header of a request to the end of its answer."
        self._seconds = Histogram("modnet_request_seconds", text, ("endpoint",), buckets=SECONDS, registry=registry)
        text = "Rows that were predicted for."
        self._rows = Counter("modnet_rows", text, ("model",), registry=registry)
        text = "Requests that a thread took from the queue at once."
        self._taken = Histogram("modnet_batch_requests", text, buckets=REQUESTS, registry=registry)
        text = "Rows of several requests that were computed as one batch."
        self._merged = Histogram("modnet_batch_rows", text, buckets=ROWS, registry=registry)
        text = "Requests that wait or are being computed."
        self._waiting = Gauge("modnet_queue_requests", text, registry=registry)
        text = "Replaced model files that were loaded, or were refused."
        self._reloads = Counter("modnet_reloads", text, (*model, "outcome"), registry=registry)
        text = "1 if the newest file was refused."
        self._failed = Gauge("modnet_reload_failed", text, model, registry=registry)
        text = "1 for each model that is served, by its id."
        self._info = Gauge("modnet_model_info", text, (*model, "id"), registry=registry)

    def answered(self, endpoint: str, model: str, code: int, seconds: float) -> None:
        self._requests.labels(endpoint, model, str(code)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def predicted(self, model: str, rows: int) -> None:
        self._rows.labels(model).inc(rows)

    def taken(self, requests: int) -> None:
        self._taken.observe(requests)

    def merged(self, rows: int) -> None:
        self._merged.observe(rows)

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        self._waiting.set_function(waiting)

    def reloaded(self, model: str, version: str, failed: bool) -> None:
        self._reloads.labels(model, version, "failed" if failed else "loaded").inc()
        self._failed.labels(model, version).set(int(failed))

    def serving(self, models: Sequence[Served]) -> None:
        """Which models are served now."""
        self._info.clear()
        for served in models:
            self._info.labels(served.name, served.version, served.id).set(1)

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self.registry)
