"""Versions of jobs as entity tags (RFC 9110): which one a caller has, and which one it means to change."""

import re
from typing import Annotated, Any, Final

from fastapi import Header

from console.errors import MEDIA_TYPE, ProblemError
from console.heads import GZIP
from contracts.errors import ErrorCode

IfNoneMatch = Annotated[str | None, Header(description="entity tags that the caller has")]
IfMatch = Annotated[str | None, Header(description="the entity tag of the version that is meant")]

TAGGED: Final[dict[str, Any]] = {
    "headers": {"ETag": {"description": "the job's version", "schema": {"type": "string", "examples": ['"3"']}}}
}
PRECONDITION_FAILED: Final[dict[str, Any]] = {
    "description": "The job has another version; `code` is `version_conflict`",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")


def etag(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def is_among(version: int, if_none_match: str | None) -> bool:
    """Return whether `If-None-Match` names this version."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or str(version) in {_name(tag) for tag in _TAG.finditer(if_none_match)}


def version_of(if_match: str | None, version: int | None) -> int | None:
    """Return the version meant by `If-Match` or the body. Raise ProblemError if no job can have it."""
    if if_match is None or if_match.strip() == "*":
        return version
    tag = _TAG.fullmatch(if_match.strip())  # [1]: weak, which If-Match never matches; [2]: the version
    if tag is None or tag[1] or not _VERSION.fullmatch(_name(tag)) or version not in {None, int(_name(tag))}:
        raise ProblemError(
            ErrorCode.VERSION_CONFLICT,
            "If-Match: no version of a job has this entity tag; send the ETag of its last answer.",
        )
    return int(_name(tag))


def _name(tag: re.Match[str]) -> str:
    """Return what an entity tag names: that of a compressed body names the same version."""
    return tag[2].removesuffix(GZIP)
