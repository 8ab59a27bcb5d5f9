"""The application: which address answers what, and what every answer goes through."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import modnet
from modnet_serve.bodies import body_of, packed
from modnet_serve.jobs import Jobs, Work
from modnet_serve.metrics import Metrics
from modnet_serve.openapi import document
from modnet_serve.protocol import HEADER_LENGTH
from modnet_serve.refusal import Refusal, refusal_of
from modnet_serve.repository import Repository, Slot
from modnet_serve.settings import Settings
from modnet_serve.work import Inference, Prediction

log = logging.getLogger("modnet_serve")

PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/pages/form.js": ("form.js", "text/javascript; charset=utf-8"),
    "/pages/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "/pages/common.js": ("common.js", "text/javascript; charset=utf-8"),
    "/pages/style.css": ("style.css", "text/css; charset=utf-8"),
}
"""Address -> file and type: nothing in them is of a model, so that they need no token."""

OPEN = {*PAGES, "/v2/health/live", "/v2/health/ready"}
"""What needs no token: probes have none, and the pages ask for it."""

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
"""Header of every answer: it is what its type says."""

CLOSE = (b"connection", b"close")
"""Header of every answer of a server that ends: the client asks nothing more by this connection."""

SAFE = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}
"""Headers of the pages: they run only their own scripts, ask only this server, and are not shown inside other pages."""


NO_TOKEN = Refusal(401, "expected the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})


class Server:
    """What answers: the application and what it works with.

    Args:
        repository: the models.
        settings: what clients may do.
        metrics: what Prometheus is told.

    Attributes:
        app: for an ASGI server.
        ending: whether the process is about to end, so that nothing new should be sent to it.
    """

    def __init__(self, repository: Repository, settings: Settings, metrics: Metrics) -> None:
        self.repository, self.settings, self.metrics = repository, settings, metrics
        self.jobs = Jobs(settings.threads, settings.most_waiting, settings.batch_rows, metrics)
        self.ending = False
        metrics.watch_queue(lambda: self.jobs.waiting)
        handlers: Any = {Refusal: _refused, HTTPException: _no_such, Exception: _failed}
        starlette = Starlette(routes=self._routes(), exception_handlers=handlers, lifespan=self._life)
        self.app = Gate(starlette, self)

    def _routes(self) -> list[Route]:
        model = "/v2/models/{name}"
        version = model + "/versions/{version}"
        found = [Route(path, self.page) for path in PAGES]
        for path in (model, version):
            found.append(Route(f"{path}/infer", self.infer, methods=["POST"]))
            found.append(Route(f"{path}/ready", self.model_ready))
            found.append(Route(path, self.model))
        return [
            Route("/predict", self.predict, methods=["POST"]),
            Route("/predict/{name}", self.predict, methods=["POST"]),
            Route("/predict/{name}/versions/{version}", self.predict, methods=["POST"]),
            *found,
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route("/v2/repository/index", self.index, methods=["POST"]),
            Route("/metrics", self.figures),
            Route("/openapi.json", self.openapi),
        ]

    @contextlib.asynccontextmanager
    async def _life(self, _: Starlette) -> AsyncIterator[None]:
        self.jobs.start()
        watching = asyncio.create_task(self.repository.watch(self.settings.poll))
        try:
            yield
        finally:
            watching.cancel()
            self.jobs.stop()

    # Predictions

    async def infer(self, request: Request) -> Response:
        """The Open Inference Protocol: tensors come and go."""
        slot, body = self._slot(request), await self._body(request)
        length = request.headers.get(HEADER_LENGTH)
        return await self._done(request, Inference(slot.served, body, length, self.settings.most_rows))

    async def predict(self, request: Request) -> Response:
        """Records come and go."""
        slot = self._slot(request) if "name" in request.path_params else self.repository.only()
        request.scope["modnet.model"] = slot.served.name
        report = _flag(request, "report")
        body = await self._body(request)
        return await self._done(request, Prediction(slot.served, body, report, self.settings.most_rows))

    def _slot(self, request: Request) -> Slot:
        slot = self.repository.slot(request.path_params["name"], request.path_params.get("version"))
        request.scope["modnet.model"] = slot.served.name
        return slot

    async def _body(self, request: Request) -> bytes:
        return await body_of(request, self.settings.most_bytes, self.settings.seconds)

    async def _done(self, request: Request, work: Work) -> Response:
        try:
            answer = await self.jobs.done(work, self.settings.seconds)
        except Exception as error:
            refusal = refusal_of(error)
            if refusal.status == 500:
                log.error("a prediction of %s failed", work.served.name, exc_info=error)
            raise refusal from None
        body, encoding = packed(answer.body, request.headers.get("accept-encoding", ""))
        headers = {**answer.headers, "Vary": "Accept-Encoding"}
        if encoding:
            headers["Content-Encoding"] = encoding
        return Response(body, headers=headers, media_type=answer.content_type)

    # What is served

    async def server(self, _: Request) -> Response:
        """The server's name, version and extensions."""
        return _json({"name": "modnet", "version": modnet.__version__, "extensions": ["binary_tensor_data"]})

    async def live(self, _: Request) -> Response:
        """Whether the process answers."""
        return _json({"live": True})

    async def ready(self, request: Request) -> Response:
        """Whether requests should be sent; a model whose newest file was refused still serves, and is reported."""
        found: dict[str, Any] = {"ready": not self.ending}
        if request.scope["modnet.known"]:
            found["models"] = [self._state(slot) for slot in self.repository.slots]
        return _json(found, 503 if self.ending else 200)

    def _state(self, slot: Slot) -> dict[str, Any]:
        served = slot.served
        found = {"name": served.name, "version": served.version, "id": served.id, "state": "READY"}
        return {**found, "reason": slot.failure} if slot.failure else found

    async def index(self, _: Request) -> Response:
        """All models with their state."""
        return _json([self._state(slot) for slot in self.repository.slots])

    async def model(self, request: Request) -> Response:
        """The tensors of a model."""
        served = self._slot(request).served
        asked = request.path_params.get("version")
        versions = [served.version] if asked else self.repository.versions(served.name)
        return _json({**served.metadata, "versions": versions})

    async def model_ready(self, request: Request) -> Response:
        """Whether a model answers."""
        served = self._slot(request).served
        return _json({"name": served.name, "ready": not self.ending}, 503 if self.ending else 200)

    async def figures(self, _: Request) -> Response:
        """What Prometheus reads."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _: Request) -> Response:
        """The description of this server."""
        return _json(document(self.repository, self.settings))

    async def page(self, request: Request) -> Response:
        """A page, its style or its script."""
        name, media_type = PAGES[request.url.path]
        text = files("modnet_serve").joinpath("pages", name).read_bytes()
        return Response(text, media_type=media_type, headers=SAFE)


class Gate:
    """What every request goes through: the token, headers of safety, and the figures of the answer.

    Attributes:
        open: how many requests are not answered yet.
        cancelled: how many were given up when the time for an orderly end was over.
    """

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app, self._server = app, server
        self.open = self.cancelled = 0
        token = server.settings.token
        self._token = f"Bearer {token}".encode() if token else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500
        self.open += 1

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], NO_SNIFFING, *([CLOSE] if self._server.ending else [])]
            await send(message)

        try:
            scope["modnet.known"] = self._knows(scope)
            if scope["modnet.known"] or scope["path"] in OPEN:
                await self._app(scope, receive, noting)
            else:
                refusal = Refusal(
                    401, "expected the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
                )
                await _told(refusal)(scope, receive, noting)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.open -= 1
            endpoint = getattr(scope.get("endpoint"), "__name__", "other")
            seconds = time.perf_counter() - begun
            self._server.metrics.answered(endpoint, scope.get("modnet.model", ""), status, seconds)

    def _knows(self, scope: Scope) -> bool:
        """Whether the request has the token, or none is required."""
        if not self._token:
            return True
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(shown, self._token)


def _flag(request: Request, name: str) -> bool:
    found = request.query_params.get(name, "false")
    if found not in ("true", "false"):
        raise Refusal(400, f"{name}: expected true or false, found {found[:40]}")
    return found == "true"


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value, ensure_ascii=False).encode(), status, media_type="application/json")


def _told(refusal: Refusal) -> Response:
    body = json.dumps({"error": refusal.message}, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, refusal.status, refusal.headers, "application/json")


async def _refused(_: Request, error: Refusal) -> Response:
    return _told(error)


async def _no_such(request: Request, error: HTTPException) -> Response:
    """The answer if there is no such route, or not for this method."""
    headers: Mapping[str, str] = error.headers or {}
    if error.status_code == 404:
        message = f"nothing is at {request.url.path[:200]}; /openapi.json and /docs have all addresses"
    elif error.status_code == 405:
        message = f"expected {headers.get('Allow', 'another method')}, found {request.method[:20]}"
    else:
        message = error.detail
    return _told(Refusal(error.status_code, message, headers))


async def _failed(_: Request, error: Exception) -> Response:
    return _told(refusal_of(error))
