"""The client without asyncio: each method of AsyncClient, run on an event loop in a thread of its own."""

import asyncio
import functools
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, Self

from signoff.client import AsyncClient


class Client:
    """Call a jobstore: `with Client(address, token) as client: job = client.get_job("a")`.

    The client has the methods of AsyncClient with the same parameters; where those yield asynchronously, these yield.
    Threads may share a client.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take the arguments of AsyncClient."""
        self._client = AsyncClient(*args, **options)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="signoff-client", daemon=True)
        self._thread.start()
        self._run(self._client.__aenter__())
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._run(self._client.__aexit__(*error))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, call: Coroutine[Any, Any, Any]) -> Any:
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()  # where waiting was interrupted, as by the keyboard

    def _iterate(self, items: AsyncGenerator[Any]) -> Iterator[Any]:
        try:
            while True:
                try:
                    item = self._run(anext(items))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self._run(items.aclose())


def _make_blocking(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    yields = inspect.isasyncgenfunction(method)

    @functools.wraps(method)
    def blocking(self: Client, *args: Any, **options: Any) -> Any:
        call = getattr(self._client, name)(*args, **options)
        return self._iterate(call) if yields else self._run(call)

    return blocking


for _name, _method in inspect.getmembers(AsyncClient, inspect.isfunction):
    if not _name.startswith("_") and (inspect.iscoroutinefunction(_method) or inspect.isasyncgenfunction(_method)):
        setattr(Client, _name, _make_blocking(_name, _method))
