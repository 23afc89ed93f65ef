"""What the gRPC doors have in common: pages, ids, sizes, and errors of the same words."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import grpc

from contracts import convert
from contracts.jsontext import json_text
from contracts.resources import JobEdit, NewJob
from jobstore.errors import InvalidError

Context = grpc.aio.ServicerContext[Any, Any]
PAGE_MAX = 500


def as_text(context: Context) -> bool:
    """Whether the caller wants JSON as text."""
    return convert.JSON_AS_TEXT in {(key, value) for key, value in context.invocation_metadata() or ()}


def without_nul(text: str | None) -> str | None:
    """A text that the database takes. InvalidError: it does not."""
    if text is not None and "\0" in text:
        raise InvalidError("a text must not contain the character U+0000")
    return text


def check_size(size: int, most: int) -> None:
    """InvalidError: it is too large."""
    if size > most:
        raise InvalidError(f"{size} characters exceed the limit of {most}", code="payload_too_large")


def sized(new: NewJob, most: int) -> NewJob:
    """A new job that is not too large."""
    texts = len(new.title) + len(new.description) + len(new.acceptance_criteria)
    check_size(texts + len(json_text(new.payload)), most)
    return new


def edit_size(edit: JobEdit) -> int:
    """As of a new job, of what is given."""
    return len(edit.title) + len(edit.description) + len(edit.acceptance_criteria) + len(json_text(edit.payload))


def uuid_of(text: str, field: str) -> UUID:
    """The UUID in a field. InvalidError: there is none."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"{field} is no UUID: {text[:100]!r}") from None


def limit_of(page_size: int, default: int) -> int:
    """How many items a page has."""
    if not 0 <= page_size <= PAGE_MAX:
        raise InvalidError(f"page_size is between 0 and {PAGE_MAX}")
    return page_size or default


def next_token(last: Sequence[Any] | None) -> str:
    """What leads to the page behind the last item of this one; empty where there is none."""
    return "" if last is None else base64.urlsafe_b64encode(json.dumps(last).encode()).decode()


def token_of(token: str, parse: Callable[..., Any]) -> Any:
    """The item behind which a page begins. InvalidError: no such token was given."""
    if not token:
        return None
    try:
        return parse(*json.loads(base64.urlsafe_b64decode(token.encode())))
    except (binascii.Error, ValueError, TypeError):
        raise InvalidError("page_token is none that was given", code="invalid_page_token") from None
