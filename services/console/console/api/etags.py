"""Versions of jobs as entity tags (RFC 9110): which one a caller has, and which one it means to change."""

import re
from typing import Annotated, Any, Final, Protocol, TypeVar

from fastapi import Header, Response

from console.errors import MEDIA_TYPE, ProblemError
from console.middleware import GZIP
from signoff.errors import ErrorCode

IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="entity tags that the caller has")]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="the entity tag of the version that is meant")]

TAGGED: Final[dict[str, Any]] = {
    "headers": {"ETag": {"description": "its version", "schema": {"type": "string", "examples": ['"3"']}}}
}
PRECONDITION_FAILED: Final[dict[str, Any]] = {
    "description": "It has another version; `code` is `version_conflict`",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
#: Of a read of something that has versions, and of a write of it.
READ: Final[dict[int | str, dict[str, Any]]] = {
    200: TAGGED,
    304: {"description": "It still has the version of `If-None-Match`"},
}
VERSIONED: Final[dict[int | str, dict[str, Any]]] = {412: PRECONDITION_FAILED}
CHANGED: Final[dict[int | str, dict[str, Any]]] = {200: TAGGED, **VERSIONED}

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")

Shown = TypeVar("Shown")


class Versioned(Protocol):
    """A resource with a version."""

    version: int


def etag(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def show(shown: Versioned, response: Response, if_none_match: str | None = None) -> Any:
    """Return a resource, and set its entity tag; return 304 without it where `If-None-Match` names its version."""
    headers = {"ETag": etag(shown.version), "Cache-Control": "private, no-cache"}
    if is_among(shown.version, if_none_match):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return shown


def tag(shown: Shown, version: int, response: Response) -> Shown:
    """Return a resource, and set the entity tag of its version."""
    response.headers["ETag"] = etag(version)
    return shown


def is_among(version: int, if_none_match: str | None) -> bool:
    """Return whether `If-None-Match` names this version."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or str(version) in {_name(tag) for tag in _TAG.finditer(if_none_match)}


def version_of(if_match: str | None) -> int | None:
    """Return the version meant by `If-Match`; None: any. Raise ProblemError if nothing can have it."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _TAG.fullmatch(if_match.strip())  # [1]: weak, which If-Match never matches; [2]: the version
    if tag is None or tag[1] or not _VERSION.fullmatch(_name(tag)):
        detail = "If-Match: no version has this entity tag; send the ETag of its last answer."
        raise ProblemError(ErrorCode.VERSION_CONFLICT, detail)
    return int(_name(tag))


def _name(tag: re.Match[str]) -> str:
    """Return the version in an entity tag: that of a compressed body has the same one."""
    return tag[2].removesuffix(GZIP)
