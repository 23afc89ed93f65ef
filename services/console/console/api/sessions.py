"""Seal callers' tokens into session cookies, which every console with the same secret opens."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from secrets import token_urlsafe

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import BaseModel, ValidationError


class Session(BaseModel):
    """What a session's cookie holds, sealed. `ends_at` is in seconds since 1970."""

    id: str
    ends_at: float
    token: str


class Sessions:
    """Begin, open and end sessions. Nothing is stored but the ids of those that were ended here before their time."""

    def __init__(self, keys: Sequence[bytes], lasts_s: float) -> None:
        """`keys` are of 32 bytes: the first seals, all open."""
        self._cipher = MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
        self.lasts_s = lasts_s
        self._ended: dict[str, float] = {}

    def begin(self, token: str) -> str:
        """Begin a session of a token's owner, and return its cookie."""
        session = Session(id=token_urlsafe(), ends_at=time.time() + self.lasts_s, token=token)
        return self._cipher.encrypt(session.model_dump_json().encode()).decode()

    def open(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None: it has ended, or the cookie is none of ours."""
        try:
            session = Session.model_validate_json(self._cipher.decrypt(cookie.encode()))
        except (InvalidToken, ValidationError):
            return None
        return None if session.ends_at <= time.time() or session.id in self._ended else session

    def end(self, session: Session) -> None:
        """End a session before its time. Other consoles learn nothing of it: there a copy of its cookie goes on."""
        now = time.time()
        self._ended = {id_: ends_at for id_, ends_at in self._ended.items() if ends_at > now}
        self._ended[session.id] = session.ends_at
