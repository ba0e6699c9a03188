"""The kernel's side of a seccomp filter: runs classic BPF over one system call, as kernel/seccomp.c does."""

import struct
from collections.abc import Sequence


def decide(instructions: bytes, architecture: int, number: int, arguments: Sequence[int]) -> int:
    """Returns the action a filter takes; raises ValueError for what the kernel would refuse to load."""
    lines = list(struct.iter_unpack("<HBBI", instructions))
    values = [argument & 0xFFFFFFFFFFFFFFFF for argument in arguments]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, architecture, 0, *values)
    at = accumulator = 0
    while True:
        code, if_true, if_false, k = lines[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, k)
            case 0x54:
                accumulator &= k
            case 0x05:
                at += k
            case 0x15:
                at += if_true if accumulator == k else if_false
            case 0x35:
                at += if_true if accumulator >= k else if_false
            case 0x06:
                return int(k)
            case _:
                raise ValueError(f"an instruction {code:#x}")
