"""What the header of an audio file in chunks announces, against what the file holds.

libsndfile takes what is there of a file that was cut off, and says nothing.
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

# More chunks before the sound are in no file that is sound itself.
_MOST_CHUNKS = 1000


class _Layout(NamedTuple):
    """How a container puts chunks one after the other."""

    first: int  # place of the first chunk
    name: int  # bytes of a chunk's name
    size: struct.Struct  # of the number after it
    counted: int  # bytes of the chunk's header that the number includes
    step: int  # a chunk begins at a multiple of it
    sound: bytes  # how the name of the chunk with the samples begins


_LAYOUTS = {
    b"RIFF": _Layout(12, 4, struct.Struct("<I"), 0, 2, b"data"),
    b"RIFX": _Layout(12, 4, struct.Struct(">I"), 0, 2, b"data"),
    b"RF64": _Layout(12, 4, struct.Struct("<I"), 0, 2, b"data"),
    b"riff": _Layout(40, 16, struct.Struct("<Q"), 24, 8, b"data"),  # Sony Wave64
    b"FORM": _Layout(12, 4, struct.Struct(">I"), 0, 2, b"SSND"),  # AIFF and AIFF-C
}


def missing_bytes(handle: int) -> int:
    """How many of the announced bytes of sound lie beyond the end of a WAV, RF64, W64 or AIFF.

    0 for other files, and where the writer could not know the length, as into a pipe: it leaves 0
    or about the largest number, signed or unsigned, that there is room for. ``handle`` is the
    descriptor of an open file; its position stays.
    """
    layout = _LAYOUTS.get(os.pread(handle, 4, 0))
    if layout is None:
        return 0
    end = os.fstat(handle).st_size
    long_size, place, header = 0, layout.first, layout.name + layout.size.size
    for _ in range(_MOST_CHUNKS):
        if place + header > end:
            break
        chunk = os.pread(handle, header, place)
        (size,) = layout.size.unpack(chunk[layout.name :])
        if chunk.startswith(b"ds64"):  # of RF64: sizes of the file and of the sound
            long_size = int.from_bytes(os.pread(handle, 8, place + header + 8), "little")
        if chunk.startswith(layout.sound):
            bits = 8 * layout.size.size
            if long_size and size == 2**bits - 1:
                size, bits = long_size, 64
            if size >= 2 ** (bits - 1) - 4096:
                return 0
            return max(0, place + header - layout.counted + size - end)
        place += max(header, header - layout.counted + size)
        place += -place % layout.step
    return 0
