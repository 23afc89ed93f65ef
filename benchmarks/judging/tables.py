"""Make the tables of docs/judging.md."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from measuring.figures import ROOT, make_table

from judging.engine import POLICIES
from judging.loop import SUBMISSIONS, find_inflation, judge_submission, list_further_asks, run_loop
from judging.standins import TABLES, Total, add_up
from judging.votes import GIVEN, SWAPPED, Ask, Votes

PAGE: Final = ROOT / "docs" / "judging.md"
#: A share of good work among the submissions, at which true acceptance is shown beside what is reported.
HALF: Final = 0.5

Row = Sequence[object]


@dataclass(frozen=True)
class Chosen:
    """Which judges of a file are looked at."""

    judge: str = "GPT-4/Vanilla"
    other: str = "PaLM2/Vanilla"
    families: tuple[str, ...] = ("ChatGPT", "Falcon", "GPT-4", "LLaMA2", "PaLM2")

    @property
    def prompt(self) -> str:
        """The prompt of the judge, by which the families are compared."""
        return self.judge.partition("/")[2]

    @property
    def family(self) -> str:
        """The family of the judge."""
        return self.judge.partition("/")[0]


def percent(share: float) -> str:
    """Return a share in percent."""
    return f"{100 * share:.1f}"


def ratio(value: float | None, digits: int) -> str:
    """Return a number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def describe_votes(votes: Mapping[str, Votes], chosen: Chosen) -> list[str]:
    """Return the table of errors, of what repeats share, and of what votes are worth together."""
    rows: list[Row] = []

    def add(what: str, describe: Callable[[Votes], str]) -> None:
        rows.append((what, *(describe(some) for some in votes.values())))

    for family in dict.fromkeys((chosen.family, "ChatGPT")):
        for prompt in dict.fromkeys((chosen.prompt, f"{chosen.prompt}_NoRules")):
            judge = f"{family}/{prompt}"
            if all(judge in some.votes for some in votes.values()):
                add(f"{judge}, wrong %: one ask; both orders (correlation)", _in_both_orders(judge))
    panel = [f"{family}/{chosen.prompt}" for family in chosen.families]
    panels = {f"{len(panel)} families, prompt {chosen.prompt}": panel}
    some = next(iter(votes.values()))
    if prompts := some.list_choosing_prompts(chosen.family):
        panels[f"{chosen.family} by {len(prompts)} prompts"] = prompts
    for name, judges in panels.items():
        add(f"{name}: mean correlation of errors; worth votes", _worth(judges))
        add(f"{name}: majority wrong %; the best one", _majority(judges))
    header = ("on the votes", *(f"{name} ({len(some)})" for name, some in votes.items()))
    return ["", *make_table(header, rows)]


def _in_both_orders(judge: str) -> Callable[[Votes], str]:
    def describe(votes: Votes) -> str:
        given, swapped = votes.list_errors(Ask(judge, GIVEN)), votes.list_errors(Ask(judge, SWAPPED))
        both = sum(map(min, given, swapped)) / len(votes)
        correlation = votes.correlate(Ask(judge, GIVEN), Ask(judge, SWAPPED))
        return f"{percent(sum(given) / len(votes))}; {percent(both)} ({ratio(correlation, 2)})"

    return describe


def _worth(judges: Sequence[str]) -> Callable[[Votes], str]:
    def describe(votes: Votes) -> str:
        panel = votes.judge_panel(judges)
        return f"{ratio(panel.correlation, 2)}; {ratio(panel.worth_votes, 1)}"

    return describe


def _majority(judges: Sequence[str]) -> Callable[[Votes], str]:
    def describe(votes: Votes) -> str:
        panel = votes.judge_panel(judges)
        return f"{percent(panel.majority_wrong / panel.labels)}; {percent(min(panel.wrong) / panel.labels)}"

    return describe


def describe_loop(votes: Mapping[str, Votes], chosen: Chosen) -> list[str]:
    """Return the tables of what loops accept: of bad work alone, and where half of the work is good."""
    after = " / ".join(map(str, SUBMISSIONS))
    lines = []
    for name, some in votes.items():
        bad, half = [], []
        for what, further in list_further_asks(chosen.judge, chosen.other).items():
            asks = [Ask(chosen.judge, GIVEN), *further]
            loops = run_loop(some, asks[0], further, good=0.0)
            each = [judge_submission(some, asks, good=is_good).asks for is_good in (False, True)]
            accepted = " / ".join(percent(one.reported) for one in loops)
            asked = " / ".join(f"{one.asks:.2f}" for one in loops)
            bad.append((what, accepted, percent(find_inflation(loops)), asked, f"{each[0]:.2f}; {each[1]:.2f}"))
            mixed = run_loop(some, asks[0], further, good=HALF)
            half.append((what, *(f"{percent(one.reported)}, {percent(one.true)}, {one.asks:.2f}" for one in mixed)))
        header = (
            f"{name} ({len(some)}), bad work alone",
            f"accepted by submission {after}, %",
            "inflation, points",
            f"asks a job by submission {after}",
            "asks a resubmission: bad; good",
        )
        lines += ["", *make_table(header, bad), ""]
        header = (f"{name}, half of the work good", *(f"after {k}: reported %, true %, asks" for k in SUBMISSIONS))
        lines += make_table(header, half)
    return lines


def describe_standins() -> list[str]:
    """Return the table of what policies cost and let through with stand-in judges."""
    lines = []
    for name, results in TABLES.items():
        totals: dict[str, Total] = {policy: add_up(results, policy) for policy in POLICIES}
        rows = [
            (policy, f"{percent(one.cost)}", one.false_accepts, one.false_rejects) for policy, one in totals.items()
        ]
        header = (f"stand-ins: {name}", "cost, % of single", "false accepts of 300", "false rejects of 200")
        lines += ["", *make_table(header, rows)]
    return lines


def write_page(lines: Iterable[str], page: Path = PAGE, name: str = "judging") -> None:
    """Put tables into their place on the page."""
    begin, end = _find_marks(name)
    before, first, rest = page.read_text("utf-8").partition(begin)
    _, last, after = rest.partition(end)
    assert first + last == begin + end, f"{page} has no place for the tables: {begin} and {end}"
    page.write_text("\n".join([before + begin, *lines, end + after]), "utf-8")


def read_page(page: Path = PAGE, name: str = "judging") -> list[str]:
    """Return the lines of tables that stand on the page."""
    begin, end = _find_marks(name)
    return page.read_text("utf-8").partition(begin)[2].partition(end)[0].splitlines()[1:]


def _find_marks(name: str) -> tuple[str, str]:
    return f"<!-- begin {name} -->", f"<!-- end {name} -->"
