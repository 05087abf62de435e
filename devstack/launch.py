"""Starts one server so that it never outlives its parent and never runs as root where it must not.

`devstack.child` runs it as a script in the child process, before the server itself, because these steps must not happen
between fork and exec of a process with threads. It becomes the server: same process, same id.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1


def main(arguments: list[str]) -> None:
    """Arguments: parent pid, death signal (0: none), uid or -1, gid, 1 to keep reach into closed folders, command."""
    parent, death_signal, uid, gid, reach = map(int, arguments[:5])
    command = arguments[5:]
    libc = ctypes.CDLL(None, use_errno=True)
    linux = sys.platform == "linux"
    if uid >= 0:
        if linux and reach:
            libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        if linux and reach:
            _keep_reach(libc)
    if linux and death_signal:  # after setuid, which clears it
        libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the parent ended before its server began")
    os.execv(command[0], command)  # noqa: S606 - an argument list of this project, no shell


def _keep_reach(libc: ctypes.CDLL) -> None:
    """Let an ordinary user's server pass folders only root may enter, such as a checkout under root's own home.

    Widening the modes of folders which are not ours would be worse. Where the kernel refuses, the server itself
    says which folder it could not enter.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << _CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(header, sets) == 0:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
