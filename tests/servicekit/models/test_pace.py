"""The pace of requests: what the server says is kept, a refusal is heard once, and no server stops it for ever."""

from datetime import timedelta

import pytest

from servicekit.clock import now
from servicekit.models.pace import (
    PAUSE_MAX_S,
    PROMPT_S,
    WINDOW_FIRST,
    WINDOW_MAX,
    WINDOW_WIDE,
    AnswerHeaders,
    Pace,
    Quota,
    Turn,
    read_headers,
    read_id,
    read_pause_s,
)

NOTHING = AnswerHeaders()


def begin(pace: Pace, many: int, now: float, tokens: float = 1.0) -> list[Turn]:
    """As many as may begin by now, `many` at most."""
    begun = []
    while len(begun) < many and pace.wait_s(tokens, now) == 0.0:
        begun.append(pace.begin(tokens, now))
    return begun


def tell(left: float, most: float, reset_s: float) -> AnswerHeaders:
    return AnswerHeaders(requests=Quota(left, most, reset_s))


def test_the_window_opens_with_each_answer_while_it_is_used() -> None:
    pace = Pace()
    for turn in begin(pace, 1_000, 0.0):
        pace.note_answer(turn, NOTHING, 1.0)
    assert pace.window == WINDOW_FIRST + 6  # by then less than half of it was in use
    used = pace.window
    for _ in range(100):
        pace.note_answer(pace.begin(1.0, 1.0), NOTHING, 1.0)
    assert pace.window == used
    while pace.window < WINDOW_MAX:
        for turn in begin(pace, 10_000, 2.0):
            pace.note_answer(turn, NOTHING, 2.0)
    assert len(begin(pace, 10_000, 3.0)) == WINDOW_MAX
    assert pace.wait_s(1.0, 3.0) is None


def test_a_server_that_refuses_nothing_and_answers_late_is_asked_no_more_than_so_many_at_once() -> None:
    """It has a queue of its own, in which all would run out of time."""
    pace, now = Pace(), 0.0
    for _ in range(10):
        turns, now = begin(pace, 10_000, now), now + PROMPT_S
        for turn in turns:
            pace.note_answer(turn, NOTHING, now)
    assert (pace.window, WINDOW_WIDE, PROMPT_S) == (200, 200, 30)
    turns = begin(pace, 10_000, now)
    for turn in turns[:50]:
        pace.note_answer(turn, NOTHING, now + PROMPT_S - 0.01)
    assert pace.window == WINDOW_WIDE + 50


def test_the_window_opens_while_half_of_it_is_used() -> None:
    pace = Pace()
    first, *_ = begin(pace, 8, 0.0)
    pace.note_answer(first, NOTHING, 0.0)
    assert pace.window == WINDOW_FIRST + 1


def test_refusals_of_one_moment_are_one_and_the_next_answer_ends_them() -> None:
    pace = Pace()
    first, second = begin(pace, 2, 0.0)
    pace.note_refusal(first, NOTHING, 0.0, None, 0.0)
    pace.note_refusal(second, NOTHING, 0.0, None, 0.0)
    assert pace.refusals == 1
    (third,) = begin(pace, 1, 1.0)
    pace.note_answer(third, NOTHING, 1.0)
    assert pace.refusals == 0


def test_after_a_refusal_half_go_on_and_more_follow_slowly() -> None:
    pace = Pace()
    first, second, *others = begin(pace, 32, 0.0)
    pace.note_refusal(first, NOTHING, 1.0, 5.0, 0.0)
    pace.note_refusal(second, NOTHING, 1.0, 5.0, 0.0)  # of the same moment: it is one refusal
    assert pace.refusals == 1
    for turn in others:
        pace.note_answer(turn, NOTHING, 2.0)
    assert pace.wait_s(1.0, 2.0) == 4.0
    batches = []
    for number in range(4):
        turns = begin(pace, 1_000, 6.0 + number)
        batches.append(len(turns))
        for turn in turns:
            pace.note_answer(turn, NOTHING, 6.0 + number)
    assert batches == [WINDOW_FIRST / 2, 9, 10, 10]


def test_one_that_hangs_after_refusals_holds_up_nobody() -> None:
    pace, now = Pace(), 0.0
    for _ in range(8):
        (turn,) = begin(pace, 1, now)
        pace.note_refusal(turn, NOTHING, now, 1.0, 0.0)
        now += 1.0
    _hung, *others = begin(pace, 1_000, now)
    assert len(others) == 3
    for _ in range(100):
        for turn in others:
            pace.note_answer(turn, NOTHING, now)
        others = begin(pace, len(others), now)
        assert others


def test_each_refusal_without_a_time_doubles_the_pause() -> None:
    pace, now = Pace(), 0.0
    pauses = []
    for _ in range(9):
        (turn,) = begin(pace, 1, now)
        pace.note_refusal(turn, NOTHING, now, None, 0.0)
        pauses.append(pace.wait_s(1.0, now))
        now += PAUSE_MAX_S
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_what_is_left_is_not_exceeded_and_fills_evenly() -> None:
    pace = Pace()
    (turn,) = begin(pace, 1, 0.0)
    pace.note_answer(turn, tell(5, 60, 55), 0.0)  # one more each second
    assert len(begin(pace, 100, 0.0)) == 5
    assert pace.wait_s(1.0, 0.0) == pytest.approx(1.0)
    assert len(begin(pace, 100, 3.0)) == 3


def test_a_quota_that_was_told_with_a_refusal_is_over_once_an_answer_says_nothing_of_it() -> None:
    pace = Pace()
    first, second = begin(pace, 2, 0.0)
    pace.note_refusal(second, AnswerHeaders(tokens=Quota(0, 1_000, 3_600)), 0.0, 1.0, 0.0)
    pace.note_answer(first, NOTHING, 0.5)  # it was asked before
    (third,) = begin(pace, 8, 1.0, 100.0)  # one goes ahead when the server said
    assert pace.wait_s(100.0, 1.0) > 10.0
    pace.note_answer(third, NOTHING, 1.0)
    assert pace.wait_s(100.0, 1.0) == 0.0


def test_what_was_begun_since_is_not_counted_by_the_server() -> None:
    pace = Pace()
    first, *_ = begin(pace, 4, 0.0)
    pace.note_answer(first, tell(5, 60, 55), 0.0)
    assert len(begin(pace, 100, 0.0)) == 2


def test_tokens_that_were_begun_since_are_not_counted_by_the_server() -> None:
    pace = Pace()
    first, *_ = begin(pace, 4, 0.0, 1_000)
    pace.note_answer(first, AnswerHeaders(tokens=Quota(5_000, 10_000, 50)), 0.0)
    assert len(begin(pace, 100, 0.0, 1_000)) == 2


def test_a_quota_of_which_nobody_says_how_it_fills_is_used_up() -> None:
    pace = Pace()
    pace.note_answer(pace.begin(1.0, LATER), tell(1, 1, 60), LATER)
    assert len(begin(pace, 100, LATER)) == 1
    assert pace.wait_s(1.0, LATER) == PAUSE_MAX_S


def test_an_older_answer_does_not_bring_back_what_was_spent() -> None:
    pace = Pace()
    first, second = begin(pace, 2, 0.0)
    pace.note_answer(second, tell(0, 60, 60), 0.0)
    pace.note_answer(first, tell(59, 60, 1), 0.0)
    assert begin(pace, 1, 0.0) == []


def test_tokens_are_counted_as_well() -> None:
    pace = Pace()
    (turn,) = begin(pace, 1, 0.0, 1_000)
    pace.note_answer(turn, AnswerHeaders(tokens=Quota(2_500, 10_000, 75)), 0.0)
    assert len(begin(pace, 10, 0.0, 1_000)) == 2
    assert pace.wait_s(1_000, 0.0) == pytest.approx(5.0)
    assert pace.wait_s(50_000, 0.0) == PAUSE_MAX_S  # more than there ever is waits for all there is, or its turn


def test_nobody_waits_longer_than_the_longest_pause() -> None:
    pace = Pace()
    pace.note_answer(pace.begin(1.0, LATER), tell(0, 1, 3_600), LATER)
    assert pace.wait_s(1.0, LATER) == 30.0


@pytest.mark.parametrize("said", [tell(0, 1, 3_600), tell(0, 10, 0), AnswerHeaders(tokens=Quota(0, 1, 3_600))])
def test_whatever_a_server_says_one_is_asked_now_and_then(said: AnswerHeaders) -> None:
    pace, now = Pace(), 0.0
    for _ in range(5):
        (turn,) = begin(pace, 1, now)
        pace.note_refusal(turn, said, now, 3_600.0, 1.0)
        assert begin(pace, 1, now + 0.1) == []
        now += PAUSE_MAX_S


def test_a_share_is_halved_by_a_refusal_and_doubled_by_a_minute() -> None:
    """Several validators believe each that the quota is theirs."""
    pace = Pace()
    first, second = begin(pace, 2, 0.0)
    pace.note_answer(first, tell(59, 60, 1), 0.0)
    pace.note_refusal(second, tell(0, 60, 60), 0.0, 0.0, 0.0)
    assert pace.wait_s(1.0, 0.0) == pytest.approx(2.0)  # half of one a second
    (third,) = begin(pace, 1, 60.0)
    pace.note_answer(third, tell(40, 60, 20), 60.0)
    assert pace.wait_s(1.0, 60.0) == 0.0
    (fourth,) = begin(pace, 1, 60.0)
    pace.note_refusal(fourth, tell(0, 60, 60), 60.0, 0.0, 0.0)
    assert pace.wait_s(1.0, 60.0) == pytest.approx(2.0)


#: Some time after the machine has begun.
LATER = 50_000.0


def test_of_a_quota_that_is_told_with_a_refusal_a_share_is_used_that_grows() -> None:
    pace = Pace()
    first, second, _third = begin(pace, 3, LATER)
    pace.note_answer(first, NOTHING, LATER)
    pace.note_refusal(second, tell(10, 70, 60), LATER, 0.0, 0.0)
    assert len(begin(pace, 100, LATER)) == 10 / 2 - 1  # one was begun since
    assert pace.wait_s(1.0, LATER) == pytest.approx(2.0)
    assert pace.wait_s(1.0, LATER + 1.0) == pytest.approx(2 / 2 ** (1 / 60) - 1.0)


def test_a_share_grows_evenly_until_it_is_whole() -> None:
    for after_s, share in ((0.0, 0.5), (30.0, 0.5 * 2**0.5), (60.0, 1.0), (90.0, 1.0), (30 * 86_400.0, 1.0)):
        pace = Pace()
        (turn,) = begin(pace, 1, LATER)
        pace.note_refusal(turn, tell(60, 60, 0.1), LATER, 0.0, 0.0)
        now = LATER + after_s
        pace.note_answer(pace.begin(1.0, now), tell(0, 60, 60), now)
        assert pace.wait_s(1.0, now) == pytest.approx(1 / share)


def test_however_often_it_is_refused_some_of_the_quota_is_used() -> None:
    pace = Pace()
    for _ in range(9):
        pace.note_refusal(pace.begin(1.0, LATER), tell(0, 600, 60), LATER, 0.0, 0.0)
    assert pace.wait_s(1.0, LATER) == pytest.approx(64 / 10)


@pytest.mark.parametrize(("jitter", "wait_s"), [(0.0, 5.0), (0.5, 5.3), (1.0, 5.6)])
def test_validators_that_are_told_the_same_pause_come_back_one_after_the_other(jitter: float, wait_s: float) -> None:
    pace = Pace()
    pace.note_refusal(pace.begin(1.0, LATER), NOTHING, LATER, 5.0, jitter)
    assert pace.wait_s(1.0, LATER) == pytest.approx(wait_s)
    pace.note_refusal(pace.begin(1.0, LATER), NOTHING, LATER, 1.0, jitter)
    assert pace.wait_s(1.0, LATER) == pytest.approx(wait_s), "a shorter one does not end it"


@pytest.mark.parametrize(("left", "window"), [(40, WINDOW_FIRST), (200, 50), (80_000, WINDOW_MAX)])
def test_a_quota_that_is_told_opens_the_window_until_a_refusal(left: float, window: float) -> None:
    pace = Pace()
    pace.note_answer(pace.begin(1.0, LATER), tell(left, left, 0.0), LATER)
    assert pace.window == window
    pace.note_refusal(pace.begin(1.0, LATER), tell(left, left, 0.0), LATER, 0.0, 0.0)
    pace.note_answer(pace.begin(1.0, LATER), tell(left, left, 0.0), LATER)
    assert pace.window == window / 2


def test_a_refusal_that_tells_nothing_is_waited_out_and_taken_for_no_quota() -> None:
    pace = Pace()
    for second in range(10):
        (turn,) = begin(pace, 1, second)
        pace.note_answer(turn, NOTHING, second)
    (turn,) = begin(pace, 1, 10.0)
    pace.note_refusal(turn, NOTHING, 10.0, 10.0, 0.0)
    assert pace.wait_s(1.0, 10.0) == pytest.approx(10.0)
    assert pace.wait_s(1.0, 20.0) == 0.0
    for _ in range(10):  # and not once in two seconds, as it was asked before the refusal
        (turn,) = begin(pace, 1, 20.0)
        pace.note_answer(turn, NOTHING, 20.0)
        assert pace.wait_s(1.0, 20.0) == 0.0
    (turn,) = begin(pace, 1, 1_000.0)
    pace.note_answer(turn, NOTHING, 1_000.0)
    assert pace.wait_s(1.0, 1_000.1) == 0.0


def test_what_ended_without_an_answer_makes_room() -> None:
    pace = Pace()
    begin(pace, 1_000, 0.0)
    assert pace.wait_s(1.0, 0.0) is None
    pace.end()
    assert pace.wait_s(1.0, 0.0) == 0.0


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
