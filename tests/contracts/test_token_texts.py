"""A token carries 256 random bits and a checksum, by which a slip is found without a look-up."""

import re
import string

import pytest

from contracts.tokens import hash_token, is_mistyped, is_token, make_token


def test_a_token_has_its_shape_and_is_never_made_twice() -> None:
    made = {make_token() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(re.fullmatch(r"sgn_[0-9A-Za-z]{49}", token) and is_token(token) for token in made)


def test_an_error_in_one_character_and_two_that_are_exchanged_are_found() -> None:
    token = make_token()
    for place in range(4, len(token)):
        for other in string.ascii_letters + string.digits:
            assert is_token(token[:place] + other + token[place + 1 :]) is (other == token[place])
        if place + 1 < len(token) and token[place] != token[place + 1]:
            assert not is_token(token[:place] + token[place + 1] + token[place] + token[place + 2 :])


#: The same in each process that runs tests.
TOKEN = "sgn_ig4yFMBj4aQBQqPlMpN5m82JKx80hRLS3loJjL5maZu3d5h1i"


@pytest.mark.parametrize("text", ["", "sgn_", TOKEN[:-1], f" {TOKEN}", f"{TOKEN}\n", "\N{SNOWMAN}" * 53])
def test_what_has_another_shape_is_no_token(text: str) -> None:
    assert not is_token(text)


def test_what_begins_as_a_token_and_is_none_was_mistyped() -> None:
    for text in ("sgn_", TOKEN[:-1], TOKEN[:-1] + "0", f"{TOKEN} "):
        assert is_mistyped(text)
    for text in (TOKEN, "", "a token of the environment", TOKEN[1:]):
        assert not is_mistyped(text)


def test_what_is_kept_is_a_hash() -> None:
    assert hash_token("sgn_x") != hash_token("sgn_y")
    assert len(hash_token(make_token())) == 32
