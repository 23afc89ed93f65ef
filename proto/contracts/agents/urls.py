"""Check the URLs of agents, and keep a user and password that stand in one from being shown."""

import re

from pydantic import AnyHttpUrl, TypeAdapter

_URL = TypeAdapter(AnyHttpUrl)
_USERINFO = re.compile(r"(https?:[/\\]*)[^/?#\\\s]*@", re.IGNORECASE)
#: What is shown for a secret.
HIDDEN = "***"


def check_http_url(text: str) -> str:
    """Return a text that is a URL of http or https. Raise ValueError for any other."""
    _URL.validate_python(text)
    return text


def has_userinfo(url: str) -> bool:
    """Return whether a user or a password stands in a URL."""
    parsed = _URL.validate_python(url)
    return bool(parsed.username or parsed.password or _USERINFO.search(url))


def hide_userinfo(text: str) -> str:
    """Return a URL, or a text with URLs, in which `***` stands for each user and password."""
    return _USERINFO.sub(rf"\1{HIDDEN}@", text)
