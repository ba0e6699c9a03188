"""Which system calls a cell may make at level 2: the zygote's filter, and the smaller one each cell adds.

Level 2 has no mount namespace and no scratch, so whatever changes a file system answers EROFS: Landlock
refuses most of it already, but before ABI 3 it knows no truncation, and it never covers modes, owners, times
and extended attributes. Without a network namespace no socket can be made at all, save the pair of streams
that asyncio wakes itself with. (Datagrams are refused even as a pair: `sendto` on one reaches any socket that
has a path.)

What no handler has a legitimate use for kills; the rest is refused with an errno that Python turns into an
exception.
"""

from errno import EACCES, ENOSYS, ENOTTY, EOPNOTSUPP, EPERM, EROFS
from typing import Final, NamedTuple

from toolcell.cells.containment.bpf import (
    ALLOW,
    KILL,
    Clause,
    Defaults,
    Match,
    Rule,
    Table,
    compile_filter,
    refuse,
)
from toolcell.cells.containment.syscalls import numbers

_ALLOWED: Final = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek
    close close_range dup dup2 dup3 pipe pipe2 sendfile splice tee copy_file_range fadvise64 readahead
    fstat stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd chdir fchdir
    getdents64 statfs fstatfs flock fsync fdatasync umask
    munmap mremap mprotect brk mincore msync pkey_alloc pkey_free pkey_mprotect
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime signalfd signalfd4
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigpending rt_sigtimedwait sigaltstack
    restart_syscall pause getpid getppid gettid getuid geteuid getgid getegid getgroups getresuid getresgid
    getpgrp getpgid getsid clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times
    getitimer setitimer alarm futex futex_waitv set_robust_list get_robust_list set_tid_address rseq
    membarrier sched_yield sched_getaffinity getpriority getcpu getrandom uname sysinfo getrusage getrlimit
    exit exit_group wait4 waitid recvfrom sendmsg recvmsg shutdown getsockopt setsockopt getsockname
    getpeername pidfd_open setrlimit
"""

_KILLED: Final = """
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd
    mount umount2 pivot_root chroot fsopen fsconfig fsmount fspick move_mount open_tree open_tree_attr
    mount_setattr unshare setns bpf perf_event_open userfaultfd keyctl add_key request_key io_uring_setup
    io_uring_enter io_uring_register init_module finit_module delete_module kexec_load kexec_file_load reboot
    swapon swapoff acct quotactl quotactl_fd settimeofday clock_settime clock_adjtime adjtimex iopl ioperm
    modify_ldt open_by_handle_at fanotify_init fanotify_mark vhangup syslog sethostname setdomainname setuid
    setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset lsm_set_self_attr
"""

_REFUSED: Final = {
    EROFS: """
        creat truncate ftruncate fallocate mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2
        link linkat symlink symlinkat mknod mknodat chmod fchmod fchmodat fchmodat2 chown fchown lchown
        fchownat utime utimes futimesat utimensat setxattr lsetxattr fsetxattr setxattrat removexattr
        lremovexattr fremovexattr removexattrat file_setattr
    """,
    EOPNOTSUPP: "getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr listxattrat",
    EACCES: "socket connect bind listen accept accept4 execve execveat",
    ENOSYS: "clone3 openat2 io_setup",
}

_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF
_O_ACCMODE, _O_TRUNC, _O_TMPFILE = 0o3, 0o1000, 0o20000000
_MAP_SHARED_ANONYMOUS = 0x21
_MADV_MERGEABLE = 12
_CLONE_THREAD, _SIGCHLD = 0x00010000, 17
_CLONE_NAMESPACES = 0x7E020000  # every CLONE_NEW* that clone() knows
_FORK_FLAGS = 0x01200000 | _SIGCHLD  # what fork() of glibc and musl asks for: CHILD_SETTID, CHILD_CLEARTID
_INT: Final = 0xFFFFFFFF
_LONG: Final = 0xFFFFFFFFFFFFFFFF

_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)  # no owner, signal, lease, notification, pipe size
_IOCTL = (
    0x5401,
    0x5413,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX
_PRCTL = (3, 15, 16, 39, 0x53564D41)  # GET_DUMPABLE, SET_NAME, GET_NAME, GET_NO_NEW_PRIVS, SET_VMA
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _SIGKILL = 1, 4, 9


def _any_of(argument: int, values: tuple[int, ...], otherwise: int) -> Rule:
    return Rule(tuple(Clause((Match(argument, _INT, value),), ALLOW) for value in values), otherwise)


def _open_rule(flags: int) -> Rule:
    """Refuses O_TRUNC in a mode that does not write: it truncates nevertheless, unseen by Landlock."""
    return Rule(
        (
            Clause((Match(flags, _O_ACCMODE, 3),), refuse(EACCES)),
            Clause((Match(flags, _O_TMPFILE, _O_TMPFILE),), refuse(EROFS)),
            Clause((Match(flags, _O_TRUNC | _O_ACCMODE, _O_TRUNC),), refuse(EROFS)),
        ),
        ALLOW,
    )


_TO_ITSELF: Final = Match(0, _INT, 0)

_BY_ARGUMENT: Final[dict[str, Rule]] = {
    "open": _open_rule(1),
    "openat": _open_rule(2),
    "fcntl": _any_of(1, _FCNTL, refuse(EPERM)),
    "ioctl": _any_of(1, _IOCTL, refuse(ENOTTY)),
    "prctl": Rule(
        (
            *_any_of(0, _PRCTL, 0).clauses,
            Clause((Match(0, _INT, _PR_SET_PDEATHSIG), Match(1, _LONG, _SIGKILL, wide=True)), ALLOW),
            Clause((Match(0, _INT, _PR_SET_DUMPABLE), Match(1, _LONG, 0, wide=True)), ALLOW),
        ),
        refuse(EPERM),
    ),
    "mmap": Rule((Clause((Match(3, _MAP_SHARED_ANONYMOUS, _MAP_SHARED_ANONYMOUS),), refuse(EPERM)),), ALLOW),
    "madvise": Rule((Clause((Match(2, _INT, _MADV_MERGEABLE),), refuse(EPERM)),), ALLOW),
    "clone": Rule(
        (
            Clause((Match(0, _CLONE_THREAD | _CLONE_NAMESPACES, _CLONE_THREAD),), ALLOW),
            Clause((Match(0, _INT, _FORK_FLAGS),), ALLOW),
        ),
        refuse(EPERM),
    ),
    "prlimit64": Rule((Clause((_TO_ITSELF,), ALLOW),), refuse(EPERM)),
    "seccomp": Rule((Clause((Match(0, _INT, 1), Match(1, _INT, 0)), ALLOW),), KILL),
    "socketpair": Rule(
        (Clause((Match(0, _INT, _AF_UNIX), Match(1, _SOCK_TYPE_MASK, _SOCK_STREAM)), ALLOW),), refuse(EACCES)
    ),
    "sendto": Rule((Clause((Match(4, _LONG, 0, wide=True),), ALLOW),), refuse(EACCES)),
}

_DEFAULTS_ERRNO: Final = (
    EPERM,
    ENOSYS,
)  # known calls, and calls newer than the table: libc falls back on ENOSYS

PID_MARK: Final = 0x5EEDF00D
"""Stands in a cell's filter where its own process id goes."""


class CellFilter(NamedTuple):
    """A cell's filter, and the byte offsets at which its process id goes, as a native 32-bit number."""

    instructions: bytes
    pid_offsets: tuple[int, ...]


def zygote_table(machine: str, *, has_scoped_signals: bool) -> Table:
    """Returns the rules that are in force before the handler is imported.

    Where Landlock scopes signals, a cell may signal itself (its own filter sees to that it is itself);
    elsewhere nobody can, since a rule made before the fork cannot know the cell's process id and a zygote
    must not signal the server.
    """
    by_name: dict[str, int | Rule] = dict.fromkeys(_ALLOWED.split(), ALLOW)
    by_name |= dict.fromkeys(_KILLED.split(), KILL)
    for errno, names in _REFUSED.items():
        by_name |= dict.fromkeys(names.split(), refuse(errno))
    by_name |= _BY_ARGUMENT
    if has_scoped_signals:
        by_name |= dict.fromkeys(("kill", "tgkill"), ALLOW)
    known = numbers(machine)
    return {known[name]: decision for name, decision in by_name.items() if name in known}


def cell_table(machine: str) -> Table:
    """Returns the rules a cell adds: no fork, no signal to others, no more filters, limits or pidfds."""
    by_name: dict[str, int | Rule] = {
        "clone": Rule((Clause((Match(0, _CLONE_THREAD, _CLONE_THREAD),), ALLOW),), refuse(EPERM)),
        "kill": Rule((Clause((Match(0, _INT, PID_MARK),), ALLOW),), refuse(EPERM)),
        "tgkill": Rule((Clause((Match(0, _INT, PID_MARK),), ALLOW),), refuse(EPERM)),
        "prlimit64": Rule((Clause((Match(2, _LONG, 0, wide=True),), ALLOW),), refuse(EPERM)),
        "setrlimit": refuse(EPERM),
        "pidfd_open": refuse(EPERM),
        "seccomp": KILL,
    }
    known = numbers(machine)
    return {known[name]: decision for name, decision in by_name.items() if name in known}


def zygote_defaults(machine: str) -> Defaults:
    """Returns what the zygote's filter answers to calls its table lacks."""
    known, unknown = _DEFAULTS_ERRNO
    return Defaults(refuse(known), refuse(unknown), max(numbers(machine).values()) + 1)


CELL_DEFAULTS: Final = Defaults(ALLOW, ALLOW, 0)


def zygote_filter(machine: str, *, has_scoped_signals: bool) -> bytes:
    """Compiles the zygote's filter."""
    return compile_filter(
        zygote_table(machine, has_scoped_signals=has_scoped_signals), zygote_defaults(machine), machine
    )


def cell_filter(machine: str) -> CellFilter:
    """Compiles a cell's filter."""
    instructions = compile_filter(cell_table(machine), CELL_DEFAULTS, machine)
    mark = PID_MARK.to_bytes(4, "little")
    offsets = [at + 4 for at in range(0, len(instructions), 8) if instructions[at + 4 : at + 8] == mark]
    return CellFilter(instructions, tuple(offsets))
