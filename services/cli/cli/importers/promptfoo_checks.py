r"""Say an assertion of promptfoo as a check, where that decides exactly as promptfoo does; else it stays words.

promptfoo looks at the output as one text, checks look at each text of a result: the two are the same where the result
is a text. Its patterns are JavaScript's, whose `.`, `\s` and negated classes take other characters than RE2's.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from contracts.checks import find_fault
from signoff.jsontext import json_text

_NOT: Final = "not-"
#: What means the same in JavaScript and in RE2.
_COMMON: Final = re.compile(
    r"(?:[A-Za-z0-9 _,:;!@#%&=<>~`'\"/-]|\\[dwb]|\\[^A-Za-z0-9\s]|[\^$|()*+]|(?<!\()\?|\(\?:|\{\d+(?:,\d*)?\}"
    r"|\[(?:[A-Za-z0-9 _-]|\\[dw])+\])+",
    re.ASCII,
)
#: What of JSON Schema every validator reads alike.
_KEYWORDS: Final = {"type", "enum", "const", "required", "minimum", "maximum", "minLength", "maxLength"}
_SIZES: Final = {"minItems", "maxItems"}


def find_check(kind: str, value: Any, result: Any) -> str | None:
    """Return the check that decides as an assertion does on results of this type; None if there is none.

    `value` is what it asks for, with variables filled in.
    """
    says_not, name = kind.startswith(_NOT), kind.removeprefix(_NOT)
    check = None
    if name == "is-json" and not says_not and isinstance(result, dict | list) and _is_common(value):
        check = f"json_schema {json_text(value)}"
    elif isinstance(result, str) and isinstance(value, str):
        if name == "contains":
            check = f"{'not_' if says_not else ''}contains {json_text(value)}"
        elif (pattern := _PATTERNS.get(name, _nothing)(value)) is not None:
            check = f"{'not_' if says_not else ''}matches /{pattern}/"
    return None if check is None or find_fault(check) is not None else check


def _nothing(_: str) -> None:
    return None


def _fold(text: str) -> str | None:
    """Return a pattern for a text in upper or lower case, as JavaScript's `toLowerCase` compares it."""
    if not text.isascii():
        return None
    # Beside their capitals: the Kelvin sign, and at the end a capital i with a dot, of which a dot is left over.
    more = [
        "\u212a" if c in "kK" else "\u0130" if c in "iI" and at == len(text) else "" for at, c in enumerate(text, 1)
    ]
    return "".join(
        f"[{c.lower()}{c.upper()}{other}]" if c.isalpha() else _quote(c) for c, other in zip(text, more, strict=True)
    )


def _quote(text: str) -> str:
    """Return a pattern for exactly this text, on one line."""
    return "".join(c if c.isalnum() or not c.isascii() else f"\\x{ord(c):02x}" for c in text)


_PATTERNS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "icontains": _fold,
    "starts-with": lambda text: f"^{_quote(text)}",
    "regex": lambda text: text if _COMMON.fullmatch(text) else None,
}


def _is_common(schema: Any) -> bool:
    """Return whether all validators read a schema alike."""
    if not isinstance(schema, dict) or not schema.keys() <= _KEYWORDS | _SIZES | {"properties", "items"}:
        return False
    below = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return all(map(_is_common, below))
