"""Versions of jobs as entity tags (RFC 9110): what a caller knows already, and what it means to change."""

import re
from typing import Annotated, Any, Final

from fastapi import Header

from console.errors import MEDIA_TYPE, ProblemError

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
    """The entity tag of a version."""
    return f'"{version}"'


def is_among(version: int, if_none_match: str | None) -> bool:
    """Whether the caller has this version."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or str(version) in {found[2] for found in _TAG.finditer(if_none_match)}


def version_of(if_match: str | None, version: int | None) -> int | None:
    """The version that is meant, by header or body; a problem where it can be none that a job has."""
    if if_match is None or if_match.strip() == "*":
        return version
    found = _TAG.fullmatch(if_match.strip())
    if found is None or found[1] or not _VERSION.fullmatch(found[2]) or version not in {None, int(found[2])}:
        raise ProblemError(412, "version_conflict", "If-Match: no version of a job has this entity tag.")
    return int(found[2])
