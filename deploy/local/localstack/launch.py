"""Become another program, with another account and a signal for the case that its parent dies; run as a script.

What has to be set up between fork and exec is done here, in a process of its own: run in a fork of a process with
threads (gRPC has some), it crashed now and then.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def become(parent: int, orphan_signal: int, uid: int, gid: int, argv: list[str]) -> None:
    """Take over the account (unless it is -1), ask for the signal, and run the program."""
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":  # after the change of account, which would undo it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, orphan_signal)
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(argv[0], argv)  # noqa: S606 - what our caller says


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:5]]
    become(numbers[0], numbers[1], numbers[2], numbers[3], sys.argv[5:])
