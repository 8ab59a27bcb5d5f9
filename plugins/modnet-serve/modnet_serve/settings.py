"""How a server is run."""

from __future__ import annotations

from modnet.records import Record

MEBIBYTE = 1 << 20


class Settings(Record):
    """What a server lets its clients do.

    Attributes:
        engine: what computes, as for `modnet.load`; None for modnet's own layers.
        threads: how many requests are computed at once.
        batch_rows: the most rows of waiting requests that are computed as one batch; 0 for no such batches.
        most_waiting: how many requests may wait for a thread.
        seconds: that a request may take.
        most_bytes: of a body, unpacked.
        most_rows: of a request.
        token: that a client has to show; "" for none.
        poll: seconds from one look at the model files to the next.
    """

    engine: str | None = None
    threads: int = 1
    batch_rows: int = 0
    most_waiting: int = 1024
    seconds: float = 30.0
    most_bytes: int = 64 * MEBIBYTE
    most_rows: int = 100_000
    token: str = ""
    poll: float = 1.0
