"""Checking the whole of a model file: which of its arrays are still those that were written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modnet.errors import legible
from modnet.modelfile import container
from modnet.modelfile.container import Fault, Segment
from modnet.modelfile.reader import File, opened, structure


@dataclass(frozen=True, eq=False)
class SegmentState:
    """What became of one payload.

    Attributes:
        segment: its group, place and named arrays.
        whole: its bytes are those that were written. If they are not, any of its arrays may be damaged or all may be
            sound: the file has one digest for each segment and nothing that would tell which part differs.
    """

    segment: Segment
    whole: bool


@dataclass(frozen=True, eq=False)
class Verification:
    """What the check of a file has found. Its header is sound, or there would be none.

    Attributes:
        id: 32 bytes, the same for files with the same bytes; what was written, where the file is damaged now.
        size: of the file, in bytes.
        segments: in the order of the file.
    """

    id: bytes
    size: int
    segments: tuple[SegmentState, ...]

    @property
    def whole(self) -> bool:
        """Whether all of the file is as it was written."""
        return all(state.whole for state in self.segments)


def verify(path: str | os.PathLike[str]) -> Verification:
    """Compares all of a model file with its checksums, in little memory.

    `read` refuses a file with a damaged segment; `read(path, verify=False)` gives the arrays of the others.

    Raises:
        NotAModelFile, Truncated, MalformedFile, ChecksumMismatch, NewerFormat: the header, or what lies between the
            payloads, is not sound, so that nothing can be said about the arrays.
        OSError: as the system says, such as for a file that is not there or may not be read.
    """
    with opened(path) as file:
        found = structure(file)
        states = tuple(SegmentState(segment, _whole(file, segment)) for segment in found.segments)
        return Verification(found.id, found.size, states)


def _whole(file: File, segment: Segment) -> bool:
    strange = False

    def pieces() -> Iterator[memoryview]:
        nonlocal strange
        for start in range(0, segment.length, container.CHUNK_LENGTH):
            buffer = bytearray(min(container.CHUNK_LENGTH, segment.length - start))
            yield from file.fill(segment.offset + start, memoryview(buffer))
            if segment.dtype == np.bool_:
                strange = strange or container.bad_bools(np.frombuffer(buffer, np.bool_))

    whole = container.digest(pieces(), segment.length) == segment.sha256
    if whole and strange:  # then it was written so
        raise Fault("a bool array has bytes other than 0 and 1", legible(segment.group))
    return whole
