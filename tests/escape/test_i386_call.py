"""Makes a call by the interrupt of 32-bit programs."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import mmap
if world['machine'] != 'x86_64': os.kill(os.getpid(), signal.SIGSYS)
private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
page = mmap.mmap(-1, 4096, private, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex('b814000000' 'cd80' 'c3'))
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
""",
        kills=True,
        works=True,
    )
)
