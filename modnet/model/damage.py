"""Verifying a whole model file: which of its arrays are intact."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modnet.errors import ChecksumMismatch, ModelFileError
from modnet.model import container
from modnet.model.container import Fault, Segment
from modnet.model.reader import DIFFERS, check_frames, front, opened
from modnet.model.source import File
from modnet.words import legible


@dataclass(frozen=True, eq=False)
class SegmentState:
    """The state of one payload.

    Attributes:
        segment: its group, place and named arrays.
        whole: its bytes match their digest. If they do not, any of its arrays may be damaged, or even none (the digest
            itself may be): there is one digest for a segment, which does not show which part differs.
        missing: the file ends before its end.
    """

    segment: Segment
    whole: bool
    missing: bool = False


@dataclass(frozen=True, eq=False)
class Verification:
    """The result of verifying a file with an intact header.

    Attributes:
        id: 32 bytes, the same for files with the same bytes; for a damaged file, that of the original.
        size: of the file, in bytes.
        segments: in the order of the file.
        fault: what is wrong between or after the arrays, for which `read` refuses the file; or "".
    """

    id: bytes
    size: int
    segments: tuple[SegmentState, ...]
    fault: str = ""

    @property
    def whole(self) -> bool:
        """Whether the whole file is intact."""
        return not self.fault and all(state.whole for state in self.segments)


def verify(path: str | os.PathLike[str]) -> Verification:
    """Compares a whole model file with its checksums, in little memory.

    `read` refuses a file with a damaged segment; `read(path, verify=False)` gives the arrays of the others. It always
    refuses a file that is too short or too long; from such a checkpoint, `edit` may still be able to save the network.

    Raises:
        NotAModelFile, Truncated, MalformedFile, ChecksumMismatch, NewerFormat: the header is damaged, so that nothing
            is known about the arrays.
        OSError: from the system, for a missing file, for example.
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
    """Raises ChecksumMismatch if the bytes of a segment do not match their digest."""
    if not is_whole(file, segment):
        raise mismatch(file, segment)


def is_whole(file: File, segment: Segment) -> bool:
    """Whether the bytes of a segment match their digest.

    Raises Fault if they do, but an array of bools has other bytes than 0 and 1.
    """
    checked = Checked(file, segment)
    for _ in checked:
        pass
    return checked.whole


def mismatch(file: File, segment: Segment) -> ChecksumMismatch:
    return ChecksumMismatch(file.path, DIFFERS, legible(segment.group))


class Checked:
    """The chunks of a segment, each read into new memory; after the last one, `whole` says whether they are intact."""

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
        if self.whole and strange:  # not damaged later, but written by a faulty or hostile program
            raise Fault("a bool array has bytes other than 0 and 1", legible(segment.group))
