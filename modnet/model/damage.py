"""Checking the whole of a model file: which of its arrays are still those that were written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modnet.errors import ChecksumMismatch, ModelFileError
from modnet.model import container
from modnet.model.container import Fault, Segment
from modnet.model.reader import File, check_frames, front, opened
from modnet.words import legible


@dataclass(frozen=True, eq=False)
class SegmentState:
    """What became of one payload.

    Attributes:
        segment: its group, place and named arrays.
        whole: its bytes are those that were written. If they are not, any of its arrays may be damaged or all may be
            sound: the file has one digest for each segment and nothing that would tell which part differs.
        missing: the file ends before it does.
    """

    segment: Segment
    whole: bool
    missing: bool = False


@dataclass(frozen=True, eq=False)
class Verification:
    """What the check of a file has found. Its header is sound, or there would be none.

    Attributes:
        id: 32 bytes, the same for files with the same bytes; what was written, where the file is damaged now.
        size: of the file, in bytes.
        segments: in the order of the file.
        fault: what is wrong between or behind the arrays, because of which `read` refuses the file; or "".
    """

    id: bytes
    size: int
    segments: tuple[SegmentState, ...]
    fault: str = ""

    @property
    def whole(self) -> bool:
        """Whether all of the file is as it was written."""
        return not self.fault and all(state.whole for state in self.segments)


def verify(path: str | os.PathLike[str]) -> Verification:
    """Compares all of a model file with its checksums, in little memory.

    `read` refuses a file with a damaged segment; `read(path, verify=False)` gives the arrays of the others. A file that
    is too short or too long it refuses in any case; of a checkpoint, `edit` may still save the network.

    Raises:
        NotAModelFile, Truncated, MalformedFile, ChecksumMismatch, NewerFormat: the header is not sound, so that nothing
            can be said about the arrays.
        OSError: as the system says, such as for a file that is not there or may not be read.
    """
    with opened(path) as file:
        found = front(file)
        fault = ""
        try:
            check_frames(file, found)
        except (Fault, ModelFileError) as error:
            fault = f"{error.where}: {error.what}" if error.where else error.what
        states = []
        for segment in found.segments:
            missing = segment.end > file.size
            states.append(SegmentState(segment, not missing and is_whole(file, segment), missing))
        return Verification(found.id, found.size, tuple(states), fault)


def require_whole(file: File, segment: Segment) -> None:
    """Raises ChecksumMismatch if the bytes of a segment are not those that were written."""
    if not is_whole(file, segment):
        raise mismatch(file, segment)


def is_whole(file: File, segment: Segment) -> bool:
    """Whether the bytes of a segment are those that were written.

    Raises Fault if they are, and were no bools where they should have been.
    """
    checked = Checked(file, segment)
    for _ in checked:
        pass
    return checked.whole


def mismatch(file: File, segment: Segment) -> ChecksumMismatch:
    what = "the arrays do not match their checksum; modnet verify says which can still be read"
    return ChecksumMismatch(file.path, what, legible(segment.group))


class Checked:
    """The chunks of a segment, each read into memory of its own; at their end `whole` tells whether they are sound."""

    def __init__(self, file: File, segment: Segment) -> None:
        self.file = file
        self.segment = segment
        self.whole = False

    def __iter__(self) -> Iterator[memoryview]:
        segment = self.segment
        strange = False
        with container.Digest(segment.length) as digest:
            for start in range(0, segment.length, container.CHUNK_LENGTH):
                length = min(container.CHUNK_LENGTH, segment.length - start)
                chunk = memoryview(self.file.read(segment.offset + start, length))
                digest.add(chunk)
                if segment.dtype == np.bool_:
                    strange = strange or container.bad_bools(np.frombuffer(chunk, np.bool_))
                yield chunk
            self.whole = digest.result() == segment.sha256
        if self.whole and strange:  # then it was written so
            raise Fault("a bool array has bytes other than 0 and 1", legible(segment.group))
