"""Keep the live tokens in memory, so that a call costs no statement, and end the streams of those that ended."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from heapq import heappop, heappush
from typing import Final

from contracts.tokens import hash_token, is_mistyped
from jobstore.access.callers import Caller
from jobstore.errors import UnauthenticatedError
from jobstore.jobs.model import BOOTSTRAP, EXECUTOR, VALIDATOR, Actor
from servicekit import clock
from signoff.status import Role

#: How many tokens that have ended are known still.
ENDED_MAX: Final = 10_000

Metadata = Iterable[tuple[str, str | bytes]]

#: Names that the tokens of the environment have, by their role.
NAMES: Final[Mapping[Role, str]] = {
    Role.ADMINISTRATOR: "bootstrap",
    Role.CONSOLE: "console",
    Role.EXECUTOR: "executor",
    Role.VALIDATOR: "validator",
}
#: Workers of the environment are named as their reports are.
_ACTORS: Final[Mapping[Role, Actor]] = {
    Role.ADMINISTRATOR: BOOTSTRAP,
    Role.CONSOLE: Actor("token:console"),
    Role.EXECUTOR: EXECUTOR,
    Role.VALIDATOR: VALIDATOR,
}
#: The one text for every credential that opens nothing: which of the reasons holds, the log and the audit say.
REFUSAL: Final = "a known token is needed in the metadata `authorization: Bearer <token>`"


def read_credential(metadata: Metadata | None, wanted: str) -> str | None:
    """Return what a call's `authorization: <scheme> ...` has if it is of the scheme `wanted`, else None."""
    header = next((value for key, value in metadata or () if key == "authorization"), "")
    scheme, _, presented = (header if isinstance(header, str) else header.decode("latin-1")).partition(" ")
    return presented if scheme.lower() == wanted else None


def read_token(metadata: Metadata | None) -> str | None:
    """Return the token of a call's `authorization: Bearer <token>`, or None if the call has none."""
    return read_credential(metadata, "bearer")


async def _know_all() -> None:
    """Learn nothing: there are no tokens but those of the environment."""


class Tokens:
    """The live tokens by their hashes: those of the environment, and those that `put` was given.

    A token is looked up by its SHA-256, so that how long it takes tells nothing of any token.
    """

    def __init__(self, of_environment: Mapping[Role, Iterable[str]]) -> None:
        self._fixed = {
            (key := hash_token(token)): Caller(NAMES[role], _ACTORS[role], role, token_hash=key)
            for role, values in of_environment.items()
            for token in values
        }
        self._made: dict[bytes, Caller] = {}
        #: When those of `_made` end, the first in front; some were put again, with another end, or are gone.
        self._ends: list[tuple[datetime, bytes]] = []
        #: Of the newest that ended or were revoked: the audit says whose was used again.
        self._ended: dict[bytes, Caller] = {}
        self._used: set[bytes] = set()
        #: Called for a token that is not known, and may be new: learns what was made before now.
        self.catch_up: Callable[[], Awaitable[None]] = _know_all
        self._streams: defaultdict[bytes, set[asyncio.Timeout]] = defaultdict(set)

    def find(self, metadata: Metadata | None) -> Caller:
        """Return the caller of a call. UnauthenticatedError: the call has no token, or one that opens nothing."""
        presented = read_token(metadata)
        if presented is None:
            raise UnauthenticatedError(REFUSAL, reason="none")
        caller = self.get(token_hash := hash_token(presented))
        if caller is None:
            raise UnauthenticatedError(
                REFUSAL, reason="malformed" if is_mistyped(presented) else self._explain(token_hash)
            )
        if caller.token_hash in self._made:
            self._used.add(caller.token_hash)
        return caller

    def take_used(self) -> list[bytes]:
        """Return the hashes of the tokens that were used since the last time, but for those of the environment."""
        used, self._used = self._used, set()
        return sorted(used)

    def get(self, token_hash: bytes) -> Caller | None:
        """Return the holder of a token by the token's hash; None if the token is unknown, has ended or was revoked."""
        caller = self._fixed.get(token_hash) or self._made.get(token_hash)
        if caller is None or (caller.ends_at is not None and caller.ends_at <= clock.now()):
            return None
        return caller if caller.maker_hash is None or self.get(caller.maker_hash) is not None else None

    def find_ended(self, metadata: Metadata | None) -> Caller | None:
        """Return who held the token of a call, if the token has ended or was revoked lately, else None."""
        presented = read_token(metadata)
        token_hash = b"" if presented is None else hash_token(presented)
        return self._made.get(token_hash) or self._ended.get(token_hash)

    def _explain(self, token_hash: bytes) -> str:
        """Return why a token opens nothing, in a word of the audit."""
        if (caller := self._made.get(token_hash)) is None:
            caller = self._ended.get(token_hash)
            if caller is None:
                return "unknown"
        if caller.ends_at is not None and caller.ends_at <= clock.now():
            return "ended"
        is_revoked = token_hash in self._ended or caller.maker_hash is None
        return "revoked" if is_revoked else self._explain(caller.maker_hash or b"")

    def put(self, callers: Iterable[Caller], ended: Iterable[Caller]) -> None:
        """Add the holders of tokens, and remove those of tokens that `ended`; end the streams of what is gone."""
        for caller in callers:
            self._made[caller.token_hash] = caller
            if caller.ends_at is not None:
                heappush(self._ends, (caller.ends_at, caller.token_hash))
        for caller in ended:
            self._made.pop(caller.token_hash, None)
            self._note_ended(caller)
        self._end_streams()

    def _note_ended(self, caller: Caller) -> None:
        self._ended[caller.token_hash] = caller
        while len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]

    def clear(self) -> None:
        """Forget all tokens but those of the environment. Streams go on until `put` says what there is."""
        self._made.clear()
        self._ends.clear()

    def forget_ended(self) -> None:
        """Remove the tokens whose time is over; all others are not looked at."""
        now = clock.now()
        while self._ends and self._ends[0][0] <= now:
            ends_at, token_hash = heappop(self._ends)
            if token_hash in self._made and self._made[token_hash].ends_at == ends_at:
                self._note_ended(self._made.pop(token_hash))

    @asynccontextmanager
    async def bound(self, caller: Caller) -> AsyncIterator[None]:
        """Run a block no longer than a caller's token lives. UnauthenticatedError: the token ended meanwhile."""
        left_s = None if caller.ends_at is None else (caller.ends_at - clock.now()).total_seconds()
        streams = self._streams[caller.token_hash]
        limit = asyncio.timeout(left_s)
        try:
            async with limit:
                streams.add(limit)
                if self.get(caller.token_hash) is None:
                    limit.reschedule(0)  # it ended between the look-up and here
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise UnauthenticatedError(REFUSAL, reason=self._explain(caller.token_hash)) from None
        finally:
            streams.discard(limit)
            if not streams:
                self._streams.pop(caller.token_hash, None)

    def _end_streams(self) -> None:
        now = asyncio.get_running_loop().time() if self._streams else 0.0
        for token_hash, limits in self._streams.items():
            if self.get(token_hash) is None:
                for limit in limits:
                    limit.reschedule(now)
