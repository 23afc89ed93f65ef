"""Make tokens, and tell them from other texts before they are looked up.

A token is `sgn_`, 256 random bits in base62 (43 characters), and the CRC-32 of all before in base62 (6 characters):
an error in one character, and two that are exchanged, are found without a look-up.
"""

import re
import string
from binascii import crc32
from hashlib import sha256
from secrets import randbits
from typing import Final

PREFIX: Final = "sgn_"
#: Characters of a token that lists show, so that its holder finds it again.
HINT_CHARS: Final = 8
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECK = 43, 6
_SHAPE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECK}}}")


def make_token() -> str:
    """Return a new token."""
    begun = PREFIX + _write(randbits(256), _RANDOM)
    return begun + _write(crc32(begun.encode()), _CHECK)


def is_token(text: str) -> bool:
    """Return whether a text has the shape and the checksum of a token."""
    return _SHAPE.fullmatch(text) is not None and _write(crc32(text[:-_CHECK].encode()), _CHECK) == text[-_CHECK:]


def is_mistyped(text: str) -> bool:
    """Return whether a text begins as a token does and is none: characters of it are wrong, exchanged or missing.

    A token of the environment may be any other text.
    """
    return text.startswith(PREFIX) and not is_token(text)


def hash_token(text: str) -> bytes:
    """Return the SHA-256 of a token, which is all that is kept of it: 256 random bits need no slower function."""
    return sha256(text.encode()).digest()


def _write(number: int, length: int) -> str:
    """Return a number in base62, filled up with zeros."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
