"""The lint of criteria: what it warns of, what it suggests, and that what is well written is left in peace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.criteria import CRITERION_MAX_CHARS, Criterion, parse_criteria, parse_stored_criteria
from contracts.lint import find_warnings
from signoff.judging import CriterionWarning


def warn(text: str) -> list[CriterionWarning]:
    return find_warnings(parse_stored_criteria(text))


GOOD = """\
It rhymes
What it quotes is exact and mentions its page
The answer of at most 200 words is 5
Says "sea"
The poem has three stanzas of four lines each
Every claim is followed by the page it was taken from
Names Lisbon and Porto
It names not only Lisbon but Porto
The first paragraph says who bought whom, and for how much
States the total in euros and in dollars
It is written in German
The subject line names the product and the date of delivery
Mentions both risks of the report: interest rates and staff turnover
Lists at least three alternatives, each with a price
Ends with a question to the reader
It answers yes or no
The title has at most 60 characters
No sentence is longer than 25 words? never: mind
Every paragraph has at most 80 words
The summary has one sentence for each of the five chapters
Gives a reason for each recommendation
Addresses the customer by name
It apologises once and offers a refund
The function returns an empty list for an empty file
Names the tests in tests/ that fail with Python 3.11
The SQL uses parameters, and each table has an alias
Explains what a lease is before it uses the word
Quotes the second clause of the contract verbatim
The tone is that of a letter to a friend
Uses the metric system
Each step names the tool that it needs
The answer is 42
Includes a table of the costs by month
Compares the three offers by price, delivery and warranty
It tells the reader how to cancel, step by step
The image description names every person that can be seen
Contains a link to the privacy policy
It suits readers of ten years: every foreign word is explained
The code is formatted with two spaces
Describes a good way to store apples over winter
Explains why the best known theory fails
The recipe names quantities for four people
It sets the clear text next to the cipher
Has a heading for each of the four seasons
Translates the idioms by what they mean
Its last line repeats the first
The email proposes two dates next week
Der Text nennt den Preis und das Lieferdatum
Le r\u00e9sum\u00e9 cite trois chiffres
\u6587\u4e2d\u63d0\u5230\u91cc\u65af\u672c
optional: It is between two and three pages long
optional: The plot turns on a letter that arrives late
never: mentions prices
never: it is written in the first person; or it names the author
check: max_words 200
check: contains "good"
check: matches /it is red and it is round/
never: contains the word "sea"
It has fewer than 1 word
Paragraphs have at most 80 words
It has at most 200 words when one counts all of the text
At most 100 words about the sea
It rhymes in at most 40 words
It names a town that is old and has a port
It must name towns that make wine and have a port
never: it is rude and has a threat
never: it must be short and mention money
It says that delivery is free of charge
It is "good"
The 3 best of 5
x = 5
"""
GOOD_LINES = [line for line in GOOD.splitlines() if "never: mind" not in line]


@pytest.mark.parametrize("line", GOOD_LINES)
def test_what_is_well_written_is_left_in_peace(line: str) -> None:
    assert warn(f"{line}\nIt has a title") == []


def test_there_are_many_such_and_they_stand_together() -> None:
    assert len(GOOD_LINES) >= 50
    assert warn("\n".join(GOOD_LINES)) == []


ANSWERS = "It answers each question that the description asks"
GREETING = "It addresses the reader by name and ends with a greeting"
TERMS = "Every technical term in it is explained where it first stands"


@pytest.mark.parametrize(
    ("line", "code", "suggestion"),
    [
        ("TBD", "criterion_says_nothing", ANSWERS),
        ("...", "criterion_says_nothing", ANSWERS),
        ("<TODO>", "criterion_says_nothing", ANSWERS),
        ("n/a", "criterion_says_nothing", ANSWERS),
        ("It is good", "criterion_vague", ANSWERS),
        ("The text is clear and concise.", "criterion_vague", TERMS),
        ("Well written", "criterion_vague", GREETING),
        ("High-quality output", "criterion_vague", ANSWERS),
        ("The tone should be professional", "criterion_vague", GREETING),
        ("optional: It must be concise", "criterion_vague", "optional: check: max_words 200"),
        ("It rhymes; it has four lines", "criterion_joins_two", "It rhymes\nIt has four lines"),
        ("It is in German and it names the price", "criterion_joins_two", "It is in German\nIt names the price"),
        (
            "optional: Names the price. It must also say when it ends",
            "criterion_joins_two",
            "optional: Names the price\noptional: It must also say when it ends",
        ),
        (
            'never: says "a; b" to the reader; it names the author',
            "criterion_joins_two",
            'never: says "a; b" to the reader\nnever: It names the author',
        ),
        ("Gives a date, and also names the place", "criterion_joins_two", "Gives a date\nNames the place"),
        ("It must not mention prices", "criterion_reads_as_absence", "never: mention prices"),
        ("No bullet points", "criterion_reads_as_absence", "never: bullet points"),
        ("It should not be under 100 words", "criterion_reads_as_absence", "never: under 100 words"),
        ("It lacks a title", "criterion_reads_as_absence", "never: a title"),
        ("Without jargon", "criterion_reads_as_absence", "never: jargon"),
        ("It must not mention prices AND dates", "criterion_reads_as_absence", None),
        ("It rhymes and mentions what is lost", "criterion_joins_two", "It rhymes\nMentions what is lost"),
        ("IT RHYMES AND HAS FOUR LINES", "criterion_joins_two", "IT RHYMES\nHAS FOUR LINES"),
        ("optional: Avoid adverbs.", "criterion_reads_as_absence", "optional: never: adverbs"),
        ("The answer doesn\u2019t say who wrote it", "criterion_reads_as_absence", "never: say who wrote it"),
        ("It must not mention TeX", "criterion_reads_as_absence", "never: mention TeX"),
        ("Written without jargon", "criterion_reads_as_absence", "never: written with jargon"),
        ("It is written without jargon", "criterion_reads_as_absence", "never: written with jargon"),
        ("Contains no links", "criterion_reads_as_absence", "never: contains links"),
        ("optional: It uses no adverbs.", "criterion_reads_as_absence", "optional: never: uses adverbs"),
        ("It is free of jargon", "criterion_reads_as_absence", "never: contains jargon"),
        ("The code must be free from TODO or x", "criterion_reads_as_absence", "never: contains TODO or x"),
        ("Nothing about money is said", "criterion_reads_as_absence", "never: anything about money is said"),
        ("Kein Wort \u00fcber Geld", "criterion_reads_as_absence", "never: Wort \u00fcber Geld"),
        ("It must not mention prices and dates", "criterion_reads_as_absence", None),
        (
            "The tone is professional and friendly and mentions the refund",
            "criterion_joins_two",
            "The tone is professional and friendly\nMentions the refund",
        ),
        ('Says "sea and is" and is free of errors', "criterion_joins_two", 'Says "sea and is"\nIs free of errors'),
        (
            "Must be under 100 words and mention the sea",
            "criterion_joins_two",
            "Must be under 100 words\nMust mention the sea",
        ),
        (
            "optional: It should rhyme, and also have four stanzas",
            "criterion_joins_two",
            "optional: It should rhyme\noptional: It should have four stanzas",
        ),
        ("Under 100 words and mentions the sea", "criterion_joins_two", "Under 100 words\nMentions the sea"),
        ("It has at most 200 words", "criterion_better_as_check", "check: max_words 200"),
        ("No more than 1,500 characters", "criterion_better_as_check", "check: max_chars 1500"),
        ("It must not exceed 200 words", "criterion_better_as_check", "check: max_words 200"),
        ("It has at most 1 word", "criterion_better_as_check", "check: max_words 1"),
        ("At least 200 words", "criterion_better_as_check", "check: min_words 200"),
        ("Under 100 words", "criterion_better_as_check", "check: max_words 99"),
        (
            "The whole text must be at least 100 words long, but no more than 200 words in total",
            "criterion_better_as_check",
            "check: max_words 200\ncheck: min_words 100",
        ),
        ('Contains the word "\u00c4rger"', "criterion_better_as_check", 'check: contains "\u00c4rger"'),
        ("optional: under 100 words", "criterion_better_as_check", "optional: check: max_words 99"),
        ("Between 100 and 200 words", "criterion_better_as_check", "check: min_words 100\ncheck: max_words 200"),
        ('Contains the word "sea"', "criterion_better_as_check", 'check: contains "sea"'),
        ("The output must be valid JSON.", "criterion_better_as_check", "check: valid json"),
        ("Is valid CSV", "criterion_better_as_check", "check: valid csv"),
        ("It is valid Python code", "criterion_better_as_check", "check: valid python"),
        ("Is a Markdown table", "criterion_better_as_check", "check: valid markdown_table"),
        ("Ist g\u00fcltiges JSON", "criterion_better_as_check", "check: valid json"),
        ("It is a valid URL", "criterion_better_as_check", "check: url"),
    ],
)  # fmt: skip
def test_what_might_be_meant_otherwise_is_told_with_what_to_write(line: str, code: str, suggestion: str | None) -> None:
    (warning,) = warn(f"It rhymes in each line\n{line}")
    assert (warning.code, warning.criterion, warning.suggestion) == (code, 1, suggestion)
    assert warning.message.startswith("criterion 2 ")
    if suggestion is not None:
        assert [one for one in warn(f"It has a title\n{suggestion}") if one.code == code] == []
        parse_criteria(f"It has a title\n{suggestion}")


@pytest.mark.parametrize(
    "text",
    [
        "criteria",
        "criterion",
        "n/a",
        "na",
        "none",
        "tba",
        "tbd",
        "test",
        "to be defined",
        "to do",
        "todo",
        "x",
        "XX",
        "xxx",
    ],
)
def test_what_stands_in_for_a_criterion_says_nothing(text: str) -> None:
    (warning,) = warn(text)
    assert (warning.code, warning.message) == (
        "criterion_says_nothing",
        "criterion 1 says nothing that a result could be judged by: say what one must see in it",
    )


@pytest.mark.parametrize(
    "words",
    [
        ("accurate", "right"),
        ("appropriate", "properly"),
        ("clean", "organized"),
        ("clear", "simple"),
        ("comprehensive", "in-depth"),
        ("concise", "short"),
        ("creative", "fun"),
        ("good", "better"),
        ("helpful", "actionable"),
        ("natural", "well-written"),
        ("reasonable", "robust"),
    ],
)
def test_words_that_are_vague_alike_have_one_suggestion(words: tuple[str, ...]) -> None:
    (first,), (second,) = (warn(f"It is {word}") for word in words)
    assert (first.code, second.code, first.suggestion) == ("criterion_vague", "criterion_vague", second.suggestion)
    assert first.message.startswith(f"criterion 1 leaves to the judge what `{words[0]}` is")


@pytest.mark.parametrize(
    "text",
    [
        "It must not mention prices",
        "It does not contain a table",
        "It doesn\u2019t say who wrote it",
        "No bullet points",
        "no number is given",
        "It never repeats itself",
        "Written without jargon",
        "Avoid adverbs",
        "It cannot be misread",
        "Der Text nennt keine Preise",
        "Sans anglicismes",
        "Aucun prix",
        "Nessun prezzo",
        "\u907f\u514d\u4ef7\u683c",
        "\uac00\uaca9\uc744 \uc4f0\uc9c0 \uc54a\ub294\ub2e4",
        "\u4e0d\u5f97\u51fa\u73b0\u4ef7\u683c",
        "\u0411\u0435\u0437 \u0446\u0435\u043d",
    ],
)
def test_a_criterion_of_absence_is_warned_of_unless_it_is_marked(text: str) -> None:
    criteria = [Criterion(text="It rhymes"), Criterion(text=text), Criterion(text="a dog", kind="never")]
    (warning,) = find_warnings(criteria)
    assert (warning.code, warning.criterion) == ("criterion_reads_as_absence", 1)
    assert "criterion 2" in warning.message
    assert "`never:`" in warning.message


@pytest.mark.parametrize(
    "text",
    [
        "Is not empty",
        "no longer than a page",
        "It must not exceed the budget of the request",
        "It names not only Lisbon but Porto",
        "It answers yes or no",
        'It says "no, never without you"',
        "Es sagt \u201enein, nie\u201c",
        "It says \u300c\u4e0d\u5f97\u300d",
        "Mentions No. 5",
        "It is non-fiction in a sans-serif font",
        "It notes everything noteworthy",
        "It ends well",
    ],
)
def test_a_criterion_that_asks_for_something_is_not_warned_of(text: str) -> None:
    assert find_warnings([Criterion(text=text)]) == []


@pytest.mark.parametrize(
    "text",
    [
        "check: max_words 100\ncheck: min_words 200",
        "It has at least 200 words\ncheck: max_words 100",
        'check: contains "sea"\ncheck: not_contains "sea"',
        "check: matches /a/\ncheck: not_matches /a/",
        "check: json_path $.a exists\ncheck: json_path  $.a absent",
        "It mentions prices\nnever: mentions Prices.",
        "never: mentions prices\nIt mentions prices",
    ],
)
def test_what_no_result_meets_together_is_told(text: str) -> None:
    assert [(one.code, one.criterion) for one in warn(text) if one.code == "criterion_contradicts"] == [
        ("criterion_contradicts", 1)
    ]
    assert [one.criterion for one in warn(f"optional: It rhymes\n{text}") if one.code == "criterion_contradicts"] == [2]
    optional = text.replace("\n", "\noptional: ", 1)
    assert [one for one in warn(optional) if one.code == "criterion_contradicts"] == []


@pytest.mark.parametrize(
    "text",
    [
        "check: max_words 200\ncheck: min_words 100",
        "check: max_words 100\ncheck: min_words 100",
        "check: min_words 100\ncheck: max_words 100",
        "check: max_words 100\ncheck: min_chars 200",
        'check: contains "sea"\ncheck: not_contains "lake"',
        "check: json_path $.a exists\ncheck: json_path $.b absent",
        "check: min_words 200\nSentences have at most 80 words",
        "check: min_words 200\nnever: has at most 100 words",
    ],
)
def test_what_a_result_can_meet_together_is_no_contradiction(text: str) -> None:
    assert warn(text) == []


@pytest.mark.parametrize(
    ("text", "words", "suggestion"),
    [
        (
            "check: max_words 100\ncheck: min_words 200",
            "asks for at least 200 words, and another allows at most 100",
            "optional: check: min_words 200",
        ),
        (
            "check: min_words 200\ncheck: max_words 100",
            "allows at most 100 words, and another asks for at least 200",
            "optional: check: max_words 100",
        ),
        ("check: matches /a/\ncheck: not_matches /a/", "asks for the opposite of criterion 1", None),
    ],
)
def test_a_contradiction_says_what_contradicts(text: str, words: str, suggestion: str | None) -> None:
    (warning,) = warn(text)
    assert warning.message == f"criterion 2 {words}: no result meets both, so take one away or make it optional"
    assert warning.suggestion == (suggestion or "optional: check: not_matches /a/")


TEXTS = st.text(st.characters(exclude_characters="\0"))


@given(st.lists(st.builds(Criterion, text=TEXTS, kind=st.sampled_from(["meets", "never", "check"])), max_size=6))
def test_any_criteria_have_warnings_or_none(criteria: list[Criterion]) -> None:
    for warning in find_warnings(criteria):
        assert 0 <= warning.criterion < len(criteria)


@pytest.mark.parametrize(
    "text",
    [
        " " * 2_000,
        "." * 1_999 + "a",
        "no " * 600,
        "a; " * 600,
        '"' * 2_000,
        "it and " * 280,
        "at most " * 250,
        "9" * 2_000,
    ],
)
def test_a_long_criterion_is_read_at_once(text: str) -> None:
    """A pattern that looked back again and again would be ended by the time that a test has."""
    find_warnings([Criterion(text=text[:CRITERION_MAX_CHARS])] * 100)
