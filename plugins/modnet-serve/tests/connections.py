"""Many connections at once: a small client of HTTP, which costs less than the server that it asks."""

import asyncio


class Connection:
    """A connection that stays open.

    Attributes:
        closing: whether the server has said that it answers nothing more.
    """

    def __init__(self, host, port):
        self._place, self.closing = (host, port), False

    async def __aenter__(self):
        self._reader, self._writer = await asyncio.open_connection(*self._place)
        return self

    async def __aexit__(self, *_):
        self._writer.close()

    async def post(self, path, body, headers=""):
        """The status and the body of the answer."""
        head = f"POST {path} HTTP/1.1\r\nHost: test\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        self.closing = b"\nconnection: close\r" in answer
        length = int(answer.partition(b"\ncontent-length: ")[2].partition(b"\r\n")[0])
        return int(answer[9:12]), await self._reader.readexactly(length)


async def hammer(host, port, connections, each, ask):
    """What `await ask(connection, number)` gives, so many times by each of so many connections."""

    async def one(place):
        async with Connection(host, port) as connection:
            return [await ask(connection, place * each + turn) for turn in range(each)]

    found = await asyncio.gather(*(one(place) for place in range(connections)))
    return [answer for answers in found for answer in answers]
