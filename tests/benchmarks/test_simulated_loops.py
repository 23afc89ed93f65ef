"""What the benchmark of judging says of real votes, of made ones whose correlation is known, and of bad files."""

import csv
from fractions import Fraction
from itertools import product

import pytest
from judging.__main__ import VOTES
from judging.loop import SUBMISSIONS, find_inflation, judge_submission, list_further_asks, run_loop
from judging.sections import POLICIES, measure
from judging.standins import TABLES, add_up
from judging.tables import Chosen, describe_loop, describe_standins, describe_votes, read_page, write_page
from judging.votes import GIVEN, SWAPPED, Ask, VotesError, read_votes
from load import RECOVERY_MAX_S, find_growth, is_delay

JUDGE, OTHER = Chosen.judge, Chosen.other
FIRST = Ask(JUDGE, GIVEN)
DEFAULT = "one further ask, another family in the swapped order"


@pytest.fixture(scope="module")
def votes():
    return read_votes(VOTES)


def test_each_vote_is_there(votes):
    assert {name: (len(some), len(some.votes)) for name, some in votes.items()} == {
        "natural": (100, 65),
        "adversarial": (226, 65),
    }


@pytest.mark.parametrize(
    ("group", "judge", "one_ask", "both_orders", "correlation"),
    [
        ("natural", "GPT-4/Vanilla_NoRules", 8, 5, 0.78),
        ("adversarial", "GPT-4/Vanilla_NoRules", 30, 26, 0.76),
        ("natural", "ChatGPT/Vanilla_NoRules", 21, 5, 0.04),
        ("adversarial", "ChatGPT/Vanilla_NoRules", 78, 60, -0.01),
    ],
)
def test_repeats_err_alike_as_published(votes, group, judge, one_ask, both_orders, correlation):
    some, given, swapped = votes[group], Ask(judge, GIVEN), Ask(judge, SWAPPED)
    both = sum(map(min, some.list_errors(given), some.list_errors(swapped)))
    assert round(100 * sum(some.list_errors(given)) / len(some)) == one_ask
    assert round(100 * both / len(some)) == both_orders
    assert round(some.correlate(given, swapped), 2) == correlation


@pytest.mark.parametrize(
    ("group", "correlation", "worth", "majority", "best"),
    [("natural", 0.25, 2.5, 13, 5), ("adversarial", 0.26, 2.5, 51, 19)],
)
def test_five_families_are_worth_what_is_published(votes, group, correlation, worth, majority, best):
    panel = votes[group].judge_panel([f"{family}/Vanilla" for family in Chosen.families])
    assert (round(panel.correlation, 2), round(panel.worth_votes, 1)) == (correlation, worth)
    assert [round(100 * wrong / panel.labels) for wrong in (panel.majority_wrong, min(panel.wrong))] == [majority, best]
    assert panel.adds_nothing


@pytest.mark.parametrize(
    ("group", "correlation", "worth", "majority", "best"),
    [("natural", 0.66, 1.4, 4, 5), ("adversarial", 0.67, 1.4, 17, 14)],
)
def test_ten_prompts_are_worth_what_is_published(votes, group, correlation, worth, majority, best):
    prompts = votes[group].list_choosing_prompts("GPT-4")
    panel = votes[group].judge_panel(prompts)
    assert len(prompts) == 10
    assert (round(panel.correlation, 2), round(panel.worth_votes, 1)) == (correlation, worth)
    assert [round(100 * wrong / panel.labels) for wrong in (panel.majority_wrong, min(panel.wrong))] == [majority, best]


#: Cases that the first ask lets pass, and a resubmission by each default.
WRONG = {"natural": (100, 5, [5, 2, 3, 2, 1]), "adversarial": (226, 44, [44, 34, 31, 24, 24])}
#: As published, in percent, by the ends of SUBMISSIONS. Plain retrying on adversarial cases ends at 88.53.
PUBLISHED = {
    "natural": [(5, 14, 40), (5, 9, 21), (5, 11, 28), (5, 9, 21), (5, 7, 13)],
    "adversarial": [(19.5, 48, 88.5), (19.5, 42, 81), (19.5, 40, 79), (19.5, 36, 71), (19.5, 36, 71)],
}


@pytest.mark.parametrize("group", ["natural", "adversarial"])
def test_loops_accept_what_is_published_of_bad_work(votes, group):
    cases, first, later = WRONG[group]
    for (name, further), wrong, published in zip(
        list_further_asks(JUDGE, OTHER).items(), later, PUBLISHED[group], strict=True
    ):
        outcomes = run_loop(votes[group], FIRST, further, good=0.0)
        a, b = Fraction(first, cases), Fraction(wrong, cases)
        exact = [float(1 - (1 - a) * (1 - b) ** (k - 1)) for k in SUBMISSIONS]
        assert [one.reported for one in outcomes] == pytest.approx(exact), name
        assert [100 * one.reported for one in outcomes] == pytest.approx(published, abs=0.5), name
        assert [one.true for one in outcomes] == [0, 0, 0]


def test_the_default_halves_the_inflation_and_at_most_doubles_the_price(votes):
    further = list_further_asks(JUDGE, OTHER)
    natural = votes["natural"]
    plain = find_inflation(run_loop(natural, FIRST, further["plain retrying"], good=0.0))
    assert 100 * plain == pytest.approx(35, abs=0.5)
    assert 100 * find_inflation(run_loop(natural, FIRST, further[DEFAULT], good=0.0)) <= 17.5
    for some, is_good in product(votes.values(), (True, False)):
        assert judge_submission(some, [FIRST, *further[DEFAULT]], good=is_good).asks <= 2


def test_good_and_bad_work_are_counted_apart(votes):
    (after_one, *_) = run_loop(votes["natural"], FIRST, [], good=0.5)
    assert after_one == pytest.approx((0.5, 0.475, 1.0))
    all_good = run_loop(votes["natural"], FIRST, [], good=1.0)
    assert all(one.true == pytest.approx(one.reported) for one in all_good)


def write_votes(path, cells, judges, labels="1", part="Made"):
    """Write a row for each cell of errors, a pair a judge: each in both orders."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["part", "case", "label", *judges])
        for number, cell in enumerate(cells, 1):
            label = labels[number % len(labels)]
            choices = [label if not wrong else {"1": "2", "2": "1"}[label] for wrong in cell]
            writer.writerow([part, number, label, *("".join(choices[at : at + 2]) for at in range(0, len(choices), 2))])
    return path


def make_cells(asks, error, correlation):
    """Return cells of errors with exactly this rate and mutual correlation."""
    weights = {}
    for cell in product((False, True), repeat=asks):
        independent = Fraction(1)
        for wrong in cell:
            independent *= error if wrong else 1 - error
        common = (error if cell[0] else 1 - error) if len(set(cell)) == 1 else Fraction(0)
        weights[cell] = correlation * common + (1 - correlation) * independent
    unit = 1
    for weight in weights.values():
        unit *= (weight * unit).denominator
    return [cell for cell, weight in weights.items() for _ in range(int(weight * unit))]


@pytest.mark.parametrize("correlation", [Fraction(0), Fraction(1, 2), Fraction(1)])
def test_made_votes_of_a_known_correlation_give_what_the_formula_says(tmp_path, correlation):
    error = Fraction(1, 5)
    path = write_votes(tmp_path / "made.csv", make_cells(4, error, correlation), [JUDGE, OTHER], labels="12")
    (some,) = read_votes(path).values()
    assert some.judge_panel([JUDGE, OTHER]).worth_votes == pytest.approx(float(2 / (1 + correlation)))
    both = error * error + correlation * error * (1 - error)
    outcomes = run_loop(some, FIRST, list_further_asks(JUDGE, OTHER)[DEFAULT], good=0.0)
    exact = [float(1 - (1 - error) * (1 - both) ** (k - 1)) for k in SUBMISSIONS]
    assert [one.reported for one in outcomes] == pytest.approx(exact)
    # Each resubmission asks once, and again where the first ask was wrong.
    assert judge_submission(some, [FIRST, Ask(OTHER, SWAPPED)], good=False).asks == pytest.approx(1 + float(error))


def test_a_file_with_one_judge_of_each_family_and_one_kind_of_case_is_described(tmp_path):
    path = write_votes(tmp_path / "made.csv", make_cells(4, Fraction(1, 5), Fraction(0)), ["A/Plain", "B/Plain"])
    chosen = Chosen("A/Plain", "B/Plain", ("A", "B"))
    lines = [*describe_votes(read_votes(path), chosen), *describe_loop(read_votes(path), chosen)]
    assert "| 2 families, prompt Plain: mean correlation of errors; worth votes | 0.00; 2.0 |" in lines


def test_no_choice_is_an_error_and_accepts_nothing(tmp_path):
    path = tmp_path / "made.csv"
    path.write_text(f"part,case,label,{JUDGE},{OTHER}\nNatural,1,1,--,11\nNatural,2,2,22,-1\n")
    (some,) = read_votes(path).values()
    assert some.list_errors(FIRST) == [True, False]
    assert some.list_accepts(FIRST, good=False) == some.list_accepts(Ask(OTHER, GIVEN), good=False) == [False, False]
    assert some.list_accepts(FIRST, good=True) == [False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the columns"),
        ("part,case,label\nNatural,1,1\n", "line 1: expected the columns"),
        ("part,case,label,A/B\n", "the file has no cases"),
        ("part,case,label,A/B\nNatural,1,3,11\n", "line 2: the label is '3'"),
        ("part,case,label,A/B\nNatural,1,,11\n", "line 2: the label is ''"),
        ("part,case,label,A/B\nNatural,1,1,1\n", "line 2: A/B has '1'"),
        ("part,case,label,A/B\nNatural,1,1\n", "line 2: A/B has ''"),
        ("part,case,label,A/B\nNatural,1,12,11\n", "line 2: the label is '12'"),
        ("part,case,label,A/B\nNatural,1,1,11\n", "the file has no judge 'GPT-4/Vanilla'; it has A/B"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(VotesError, match=message):
        describe_loop(read_votes(path), Chosen())


def test_stand_ins_have_exactly_the_shares_that_they_say():
    for results in TABLES.values():
        bad, good = ([one for one in results if one.is_good is is_good] for is_good in (False, True))
        assert (len(results), len(bad), sum(one.breaks_check for one in results)) == (500, 300, 260)
        assert not any(one.breaks_check for one in good)
        assert [sum(one.strong_is_wrong for one in some) for some in (bad, good)] == [30, 20]
        assert [sum(one.cheap_is_wrong for one in some) for some in (bad, good)] == [60, 30]
        assert sum(one.cheap_is_unsure for one in results) == 150
    unsure = [sum(one.cheap_is_wrong and one.cheap_is_unsure for one in results) for results in TABLES.values()]
    assert unsure == [81, 27, 81]


def test_checks_first_and_the_cascade_meet_their_bars():
    knowing = TABLES["the cheap judge knows its doubt"]
    single, checked, cascade = (add_up(knowing, name) for name in ("single", "checks, single", "cascade"))
    assert checked.cost <= 0.5 * single.cost
    assert checked.false_accepts <= single.false_accepts
    assert cascade.cost <= 0.6 * single.cost
    assert cascade.false_accepts <= single.false_accepts


def test_a_resubmission_is_judged_by_the_validator_at_no_more_than_twice_the_price():
    for table in TABLES.values():
        single, again = (add_up(table, name) for name in ("single", "single, of a resubmission"))
        assert single.cost < again.cost <= 2 * single.cost
        assert again.false_accepts <= single.false_accepts


def test_with_errors_independent_of_doubt_the_cascade_lets_more_through():
    table = TABLES["errors are independent of doubt"]
    assert add_up(table, "cascade").false_accepts > add_up(table, "single").false_accepts
    assert "| cascade | 40.0 | 51 | 27 |" in describe_standins()


def test_the_page_holds_the_tables_as_they_are_printed(votes):
    lines = [*describe_votes(votes, Chosen()), *describe_loop(votes, Chosen()), *describe_standins()]
    assert read_page() == lines, "docs/judging.md is not what `make bench OF=judging` prints: ARGS=--write writes it"


def test_a_page_keeps_what_stands_around_the_tables(tmp_path):
    page = tmp_path / "page.md"
    begin, end = "<!-- begin judging -->", "<!-- end judging -->"
    page.write_text(f"before\n\n{begin}\nold\n{end}\n\nafter\n")
    for _ in range(2):
        write_page(["", "| new |"], page)
        assert read_page(page) == ["", "| new |"]
        assert page.read_text() == f"before\n\n{begin}\n\n| new |\n{end}\n\nafter\n"
    page.write_text("nothing")
    with pytest.raises(AssertionError, match="no place for the tables"):
        write_page([], page)


CHARS, RESULTS = 10_000, 40


@pytest.mark.parametrize("kind", ["meets", "never"])
async def test_what_one_section_decides_errs_seldom_where_it_is_confirmed(kind: str) -> None:
    alone, confirmed = [await measure(policy, kind, CHARS, RESULTS) for policy in POLICIES.values()]
    assert max(alone.bad_accepted, alone.good_refused) > 0.2
    assert max(confirmed.bad_accepted, confirmed.good_refused) <= 0.12
    assert (alone.asks, confirmed.asks < 1.25) == (1, True)


FLAT = [{"console": 100.0, "kafka": 500.0}] * 4


def test_memory_that_stays_is_flat() -> None:
    assert find_growth(FLAT) == {}
    assert find_growth([*FLAT, {"console": 115.0, "kafka": 900.0}]) == {}


def test_memory_that_grows_in_the_second_half_is_found() -> None:
    assert find_growth([*FLAT, {"console": 140.0, "kafka": 500.0}]) == {"console": "100 to 140 MiB"}


@pytest.mark.parametrize(("value", "says"), [("1", True), ("30", True), ("0", False), ("soon", False), (None, False)])
def test_a_refusal_says_after_how_many_seconds_to_come_again(value: str | None, says: bool) -> None:
    assert is_delay(value) is says


def test_recovery_is_had_within_ten_seconds() -> None:
    assert RECOVERY_MAX_S == 10
