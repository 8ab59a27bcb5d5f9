"""The bodies of requests and answers: how long they may be, and how they are packed."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

from modnet_serve.refusal import Refusal

WBITS = {"gzip": 31, "deflate": 15}
"""How zlib reads and writes each of HTTP's encodings."""

WORTH_PACKING = 1024
"""Answers shorter than this are sent as they are: they fit into one packet."""


async def body_of(request: Request, most: int, seconds: float) -> bytes:
    """The body of a request, unpacked.

    Args:
        most: bytes that it may have, packed and unpacked.
        seconds: that its arrival may take.

    Raises:
        Refusal: it is too long (413), too slow (408), packed in an unknown way (415), or damaged (400).
    """
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told[:20]) > most:
        raise _too_long(most)
    parts, length = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                length += len(part)
                if length > most:
                    raise _too_long(most)
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, f"the body took longer than {seconds:g} seconds to arrive") from None
    except ClientDisconnect:
        raise Refusal(400, "the body ended before it was complete") from None
    return _unpacked(b"".join(parts), request.headers.get("content-encoding", "identity"), most)


def _too_long(most: int) -> Refusal:
    return Refusal(413, f"the body is longer than {most:,} bytes, the limit of this server")


def _unpacked(body: bytes, encoding: str, most: int) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in WBITS:
        raise Refusal(415, f"Content-Encoding: expected gzip, deflate or identity, found {encoding[:40]}")
    unpacker = zlib.decompressobj(WBITS[encoding])
    try:
        found = unpacker.decompress(body, most + 1)
    except zlib.error:
        raise Refusal(400, f"the body is not {encoding}, although Content-Encoding says so") from None
    if len(found) > most:
        raise _too_long(most)
    if not unpacker.eof or unpacker.unused_data:
        raise Refusal(400, f"the body is {'cut off' if not unpacker.eof else 'longer than its'} {encoding}")
    return found


def packed(body: bytes, accepted: str) -> tuple[bytes, str]:
    """A body as a client takes it, and the name of the encoding; "" if it stays as it is.

    Args:
        accepted: the header Accept-Encoding.
    """
    if len(body) < WORTH_PACKING or not accepted:
        return body, ""
    names = {}
    for item in accepted.lower().split(","):
        name, _, weight = item.partition(";")
        names[name.strip()] = weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    encoding = next((name for name in WBITS if names.get(name)), "")
    if not encoding:
        return body, ""
    packer = zlib.compressobj(1, wbits=WBITS[encoding])
    return packer.compress(body) + packer.flush(), encoding
