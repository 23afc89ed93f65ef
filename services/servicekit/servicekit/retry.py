"""Retry operations that fail for a time, and find the one item of a batch that always fails."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from servicekit.errors import DoubtfulError, PermanentError, RefusedError, ServiceError, TransientError
from servicekit.metrics import WAITING
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

#: Seconds between the first two tries; each wait is twice the one before, up to BACKOFF_MAX_S.
BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 5.0


def backoffs_s(first: float = BACKOFF_FIRST_S, longest: float = BACKOFF_MAX_S) -> Iterator[float]:
    """Yield waits in seconds that double up to `longest`, with jitter so that waiters do not all come back at once."""
    wait = first
    while True:
        yield wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        wait = min(wait * 2, longest)


#: Seconds for which a refusal is tried again.
REFUSAL_S: Final = 10.0


class Patience:
    """The patience with refusals that come one after the other: it ends after REFUSAL_S."""

    def __init__(self) -> None:
        self._began_at: float | None = None

    def note(self, error: Exception | None) -> None:
        """Note the outcome of a try. Raise the error if it is a RefusedError, as all were since REFUSAL_S."""
        if not isinstance(error, RefusedError):
            self._began_at = None
            return
        now = time.monotonic()
        if self._began_at is None:
            self._began_at = now
        elif now - self._began_at >= REFUSAL_S:
            raise error


async def retry_transient(operation: Callable[[], Awaitable[R]], *, on: str, longest_s: float = BACKOFF_MAX_S) -> R:
    """Return the operation's result: after a TransientError try again, without end; raise any other error.

    A RefusedError is raised, too, if nothing else came for REFUSAL_S.

    `on` names what is waited for, in the log and in the metric `signoff_waiting`; `longest_s` bounds each wait.
    """
    waiting, patience = False, Patience()
    try:
        for wait_s in backoffs_s(longest=longest_s):
            try:
                return await operation()
            except TransientError as error:
                patience.note(error)
                log.warning("waiting for %s", on, extra={"code": error.code, "reason": str(error)})
                if not waiting:
                    WAITING.labels(on).inc()
                    waiting = True
                await asyncio.sleep(max(wait_s, min(error.retry_after_s or 0.0, longest_s)))
    finally:
        if waiting:
            WAITING.labels(on).dec()
    raise AssertionError


async def isolate_failures(
    items: Sequence[T], operation: Callable[[Sequence[T]], Awaitable[Sequence[R | PermanentError | DoubtfulError]]]
) -> list[R | PermanentError | DoubtfulError]:
    """Return the result of each item, in order; halve a batch that fails for good until the bad item stands alone.

    A batch with a DoubtfulError is halved, too: that error is then the result of the item that stands alone. Any other
    TransientError is raised: nothing is known of any item then, and the whole batch may be tried again.
    """
    if not items:
        return []
    try:
        return list(await operation(items))
    except DoubtfulError as error:
        if len(items) == 1:
            return [error]
    except TransientError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug met by one record must not stop the others
        if len(items) == 1:
            return [_to_permanent(error)]
    half = len(items) // 2
    return [*await isolate_failures(items[:half], operation), *await isolate_failures(items[half:], operation)]


def _to_permanent(error: Exception) -> PermanentError:
    if isinstance(error, PermanentError):
        return error
    code = error.code if isinstance(error, ServiceError) else ErrorCode.INTERNAL
    log.error("one item failed for good, the rest of its batch goes on", exc_info=error, extra={"code": code})
    return PermanentError(f"{type(error).__name__}: {error}", code=code)


def chunk_by_size(items: Iterable[T], size: Callable[[T], int], *, limit: int, bytes_max: int) -> Iterator[list[T]]:
    """Yield chunks of at most `limit` items and `bytes_max` bytes; an item that is larger stands alone."""
    chunk: list[T] = []
    total = 0
    for item in items:
        n = size(item)
        if chunk and (len(chunk) == limit or total + n > bytes_max):
            yield chunk
            chunk, total = [], 0
        chunk.append(item)
        total += n
    if chunk:
        yield chunk
