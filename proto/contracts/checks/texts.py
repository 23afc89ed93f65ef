"""Check the text of a result: how long it is, what stands in it, and whether it is a URL."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from contracts.checks.base import CheckError, Finding, Subject, count_of

#: A length that a check may ask for, at most.
LENGTH_MAX: Final = 100_000_000
#: Characters of a pattern at most, and bytes of what RE2 may make of it.
PATTERN_MAX_CHARS: Final = 1_000
PATTERN_MAX_BYTES: Final = 1 << 18
URL_MAX_CHARS: Final = 2_048

# A word has a letter or digit; an ideograph or a kana is one by itself. A zero-width space parts words.
_IDEOGRAPH: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD: Final = re.compile(rf"[{_IDEOGRAPH}]|(?:(?![{_IDEOGRAPH}])[^\s\u200b])+")
_HOST: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)(\.(?!-)[\w-]{1,63}(?<!-))*\.?")


class Place(NamedTuple):
    """A text in a result, with its JSON pointer; `is_name`: the text is the name of a member."""

    pointer: str
    text: str
    is_name: bool = False

    def __str__(self) -> str:
        where = f"`{self.pointer}`" if self.pointer else "the result"
        return f"a name at {where}" if self.is_name else where


def iterate_places(value: Any, pointer: str = "") -> Iterator[Place]:
    """Yield the texts of a value in order: the value if it is a string, else names, strings, numbers and booleans."""
    if isinstance(value, str):
        yield Place(pointer, value)
    elif isinstance(value, dict):
        for name, member in value.items():
            below = f"{pointer}/{escape_name(name)}"
            yield Place(below, name, is_name=True)
            yield from iterate_places(member, below)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from iterate_places(item, f"{pointer}/{at}")
    elif value is not None:
        yield Place(pointer, json.dumps(value))


def escape_name(name: str) -> str:
    """Return a member's name as it stands in a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def count_words(text: str) -> int:
    """Return how many words a text has."""
    return sum(any(map(str.isalnum, word)) for word in _WORD.findall(text))


_UNITS: Final[dict[str, Callable[[str], int]]] = {"word": count_words, "character": len}


@dataclass(frozen=True)
class Length:
    """`max_words 200`: how many words or characters all texts of the result have together, without names of members."""

    unit: str
    limit: int
    is_maximum: bool
    needs_context = False

    def find(self, subject: Subject) -> Finding:
        """Count the words or characters of all texts."""
        texts = (place.text for place in iterate_places(subject.result) if not place.is_name)
        count = sum(map(_UNITS[self.unit], texts))
        is_met = count <= self.limit if self.is_maximum else count >= self.limit
        has, asked = count_of(count, self.unit), f"{'at most' if self.is_maximum else 'at least'} {self.limit:,}"
        return Finding.of(is_met, has, f"it has {has}; {asked} {'are allowed' if self.is_maximum else 'are needed'}")


def read_length(name: str, words: str) -> Length:
    """Return the check `name`, such as `max_words`, of the number in `words`. Raise CheckError for any other words."""
    limit = int(words) if re.fullmatch("[0-9]{1,9}", words) else 0
    if not 1 <= limit <= LENGTH_MAX:
        raise CheckError(f"`{name}` takes one whole number from 1 to {LENGTH_MAX}: `{name} 200`")
    bound, unit = name.split("_")
    return Length({"words": "word", "chars": "character"}[unit], limit, is_maximum=bound == "max")


@dataclass(frozen=True)
class Contains:
    """`contains "x"` and `not_contains "x"`: whether exactly these characters stand in a text of the result."""

    wanted: str
    is_wanted: bool
    needs_context = False

    def find(self, subject: Subject) -> Finding:
        """Find the first place of the characters. Only `not_contains` searches the names of members, too."""
        for place in iterate_places(subject.result):
            if (at := place.text.find(self.wanted)) >= 0 and not (place.is_name and self.is_wanted):
                return Finding.of(self.is_wanted, self.wanted, _say_where(place, at, at + len(self.wanted)))
        return _find_nowhere(json.dumps(self.wanted, ensure_ascii=False), self.is_wanted)


def read_contains(name: str, words: str) -> Contains:
    """Return the check `name` of the JSON string in `words`. Raise CheckError if `words` is no JSON string."""
    try:
        wanted = json.loads(words)
    except ValueError as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else 0
        raise CheckError(f'`{name}` takes one text in double quotation marks, with \\" for one in it', at) from error
    if not isinstance(wanted, str) or not wanted:
        raise CheckError(f'`{name}` takes one text that is not empty, in double quotation marks: `{name} "sea"`')
    return Contains(wanted, is_wanted=name == "contains")


@dataclass(frozen=True)
class Matches:
    """`matches /x/` and `not_matches /x/`: whether RE2 finds a pattern in a text of the result."""

    pattern: str
    is_wanted: bool
    needs_context = False

    @cached_property
    def _compiled(self) -> Any:
        return compile_pattern(self.pattern)

    def find(self, subject: Subject) -> Finding:
        """Find the first match in a single text. Only `not_matches` searches the names of members, too."""
        for place in iterate_places(subject.result):
            if place.is_name and self.is_wanted:
                continue
            if (match := self._compiled.search(place.text)) is not None:
                evidence = match.group() or "the empty text"
                return Finding.of(self.is_wanted, evidence, _say_where(place, *match.span()))
        return _find_nowhere("a match", self.is_wanted)


def read_matches(name: str, words: str) -> Matches:
    """Return the check `name` of the pattern `/x/` and its flags in `words`. Raise CheckError if it is malformed."""
    parts = re.fullmatch("/(.+)/([ims]*)", words)
    if parts is None:
        raise CheckError(
            f"`{name}` takes a pattern between slashes, perhaps with the flags i, m and s: `{name} /^OK/i`"
        )
    pattern = f"(?{parts[2]}){parts[1]}" if parts[2] else parts[1]
    if len(pattern) > PATTERN_MAX_CHARS:
        raise CheckError(f"a pattern has at most {PATTERN_MAX_CHARS} characters, not {len(pattern)}")
    try:
        compile_pattern(pattern)
    except ValueError as error:
        raise CheckError(f"this is no pattern of RE2: {error}", at=1) from error
    return Matches(pattern, is_wanted=name == "matches")


def compile_pattern(pattern: str) -> Any:
    """Compile a pattern by RE2, which never backtracks. Raise ValueError if it is invalid, or needs much memory."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - only where there is a pattern

    options = re2.Options()
    options.max_mem = PATTERN_MAX_BYTES
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        words = error.args[0]
        raise ValueError(words.decode(errors="replace") if isinstance(words, bytes) else str(error)) from error


@dataclass(frozen=True)
class Url:
    """`url`: whether the result is one absolute URL of http or https. Nothing is fetched."""

    needs_context = False

    def find(self, subject: Subject) -> Finding:
        """Check whether the result has the form of such a URL."""
        text = subject.result
        if not isinstance(text, str):
            return Finding.of(False, "no text", "the result must be a text with a URL and nothing else")
        fault = _find_url_fault(text)
        return Finding.of(fault is None, text or "an empty text", fault or "a URL with scheme and host")


def _find_url_fault(text: str) -> str | None:
    if len(text) > URL_MAX_CHARS:
        return f"it has more than {URL_MAX_CHARS:,} characters"
    if any(character.isspace() or not character.isprintable() for character in text):
        return "it has white space or what cannot be seen in it"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        return f"it is no URL: {error}"
    if parts.scheme not in {"http", "https"}:
        return "it does not begin with http:// or https://"
    is_host = "[" in parts.netloc or (len(host) <= 253 and _HOST.fullmatch(host) is not None)  # noqa: PLR2004 - of DNS
    return None if is_host else "it has no host"


def _say_where(place: Place, start: int, end: int) -> str:
    return f"found in {place} at characters {start:,} to {end:,}"


def _find_nowhere(what: str, is_wanted: bool) -> Finding:
    return Finding.of(not is_wanted, "not found", f"{what} stands nowhere in the result")
