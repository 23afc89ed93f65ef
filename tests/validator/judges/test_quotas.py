"""Quotas: what headers say of them, in every form that is known, and in none."""

from datetime import timedelta

import pytest

from servicekit.clock import now
from validator.judges.pace import AnswerHeaders, Quota, read_headers, read_id, read_pause_s


def read(**headers: str) -> AnswerHeaders:
    return read_headers({name.replace("_", "-"): value for name, value in headers.items()})


def test_openai_says_what_is_left() -> None:
    said = read(
        x_request_id="req_1",
        x_ratelimit_limit_requests="60",
        x_ratelimit_remaining_requests="59",
        x_ratelimit_reset_requests="1s",
        x_ratelimit_limit_tokens="150000",
        x_ratelimit_remaining_tokens="149984",
        x_ratelimit_reset_tokens="6m0.5s",
    )
    assert said == AnswerHeaders(Quota(59, 60, 1), Quota(149_984, 150_000, 360.5), "req_1")


def test_anthropic_says_it_in_its_own_way() -> None:
    until = (now() + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    said = read(
        request_id="req_2",
        anthropic_ratelimit_requests_limit="50",
        anthropic_ratelimit_requests_remaining="49",
        anthropic_ratelimit_requests_reset=until,
        anthropic_ratelimit_input_tokens_remaining="1",
    )
    assert said.requests is not None
    assert (said.requests.left, said.requests.most, said.tokens, said.request_id) == (49, 50, None, "req_2")
    assert 28 < said.requests.reset_s <= 30


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1s", 1), ("120ms", 0.12), ("1m30s", 90), ("2h", 3_600), ("1d", 3_600),
        ("0.5h", 1_800), ("0.01d", 864), ("20", 20), ("0.5", 0.5),
        ("9999999999999", 3_600), ("1000000000", 3_600), ("1000000001", 0), ("2020-01-01T00:00:00Z", 0),
        ("", 60), ("soon", 60), ("-5", 60), ("1.2.3s", 60), ("2026-99-01", 60), ("2026-11-26T17:00:00", 60),
        ("nan", 60),
    ],
)  # fmt: skip
def test_when_it_is_full_again(value: str, seconds: float) -> None:
    said = read(x_ratelimit_remaining_requests="0", x_ratelimit_limit_requests="10", x_ratelimit_reset_requests=value)
    assert said.requests == Quota(0, 10, seconds)


@pytest.mark.parametrize("left", ["", "-1", "many", "1e9", "nan", "9" * 30])
def test_what_is_no_number_says_nothing(left: str) -> None:
    assert read(x_ratelimit_remaining_requests=left, x_ratelimit_limit_requests="10").requests is None


def test_what_is_left_is_at_most_all() -> None:
    assert read(x_ratelimit_remaining_requests="20", x_ratelimit_limit_requests="10").requests == Quota(20, 20, 60)
    assert read(x_ratelimit_remaining_requests="0").requests == Quota(0, 1, 60)


def test_answers_without_any_say_nothing() -> None:
    assert read(content_type="application/json", x_ratelimit_policy="1", ratelimit="2") == AnswerHeaders()


@pytest.mark.parametrize("value", ["", "a b", "x" * 201, "\x1b[31m", 5, None])
def test_an_id_is_short_and_plain(value: object) -> None:
    assert read_id(value) is None


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, 9),
        ({"retry-after-ms": "999999999999999"}, 3_600),
        ({}, None),
    ],
)
def test_how_long_a_refusal_asks_to_wait(headers: dict[str, str], pause_s: float | None) -> None:
    assert read_pause_s(headers) == pause_s


def test_a_request_has_its_id_where_nothing_is_said_of_quotas() -> None:
    assert read_headers({"x-request-id": "req-1"}) == AnswerHeaders(request_id="req-1")
