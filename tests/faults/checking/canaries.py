"""The words of honest tenants' things that another tenant must not be told, and how they are found."""

import base64
import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote

#: The tenant with agents and header values of its own, whose things a hostile one is after; and that one.
PRESS, HOSTILE = "press", "radio"
#: Stands in every text, label, result, header value and name of honest tenants, and in none that another one chooses.
CANARY = "kestrel"
#: The header that the tenant's agents want, and the value that its executors send.
KEY_HEADER, KEY = "X-Press-Key", f"{CANARY}-key-of-the-press"
#: Honest jobs are told by their ids, too.
_WORD = re.compile(rf"(?:{PRESS}:)?(?:{CANARY}[\w-]*|storm-\d+-\d+(?:-\d+)?)")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: What may be a text in base64, such as the token of a page.
_CODED = re.compile(r"[\w+/-]{24,}={0,2}")


def find_words(text: str, named: Collection[str] = ()) -> list[str]:
    """Return the canaries in a text, also in what is base64 or percent-encoded, but for words that its reader named."""
    found = {word for each in _spell_out(text) for word in _WORD.findall(each)}
    return sorted(found - {*named})


def find_ids(text: str, named: Collection[str] = ()) -> frozenset[str]:
    """Return the UUIDs in a text, but for those that its reader named."""
    return frozenset(_UUID.findall(text)).difference(named)


def name_words(text: str) -> set[str]:
    """Return the canaries and UUIDs that a request names: its answers may repeat them."""
    return {*find_words(text), *find_ids(text)}


def _spell_out(text: str) -> Iterator[str]:
    yield text
    if "%" in text:
        yield unquote(text)
    for coded in _CODED.findall(text):
        padded = coded.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            yield base64.b64decode(padded + "=" * (-len(padded) % 4)).decode("latin-1")
        except ValueError:
            continue
