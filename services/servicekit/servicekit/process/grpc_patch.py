"""Patch grpc.aio so that it hands over all events at once, however long the event loop was busy.

A thread of grpc.aio writes a byte to a socket for each event, such as a message that came, or one that was sent. The
event loop reads one byte a turn, and takes all events that are there. So bytes are left over whenever several events
came during a turn, and 278 of them fill the socket on Linux. From then on the thread waits to write, and each turn of
the loop takes one event, of some six that a call has: a server with many callers answers fewer calls than it has turns,
for as long as they call.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import grpc.aio

#: More than the socket holds.
_BYTES_MAX: Final = 65_536


def take_all_events() -> None:
    """Let the running event loop take all events of grpc.aio at once; call before anything of grpc.aio is made."""
    loop = asyncio.get_running_loop()
    add_reader = loop.add_reader

    def add(wakeups: socket.socket, handle: Callable[[], None], *_: Any) -> None:
        add_reader(wakeups, partial(_take_all, wakeups, handle))

    loop.add_reader = add  # type: ignore[method-assign,assignment] # what grpc.aio adds next is its only reader
    try:
        grpc.aio.init_grpc_aio()
    finally:
        del loop.add_reader


def _take_all(wakeups: socket.socket, handle: Callable[[], None]) -> None:
    """Leave one byte, which `handle` reads before it takes all events."""
    with suppress(BlockingIOError):
        waiting = len(wakeups.recv(_BYTES_MAX, socket.MSG_PEEK))
        if waiting > 1:
            wakeups.recv(waiting - 1)
    handle()
