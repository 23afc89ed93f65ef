"""What people see: tables, styles where they are shown, help in plain words, and nothing that steers their terminal."""

import io
import re
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from support.commands import list_commands
from support.words import UNCLEAR
from typer.testing import CliRunner

from cli.__main__ import app
from cli.commands.jobs import show_jobs
from cli.output import Output, format_usd
from cli.terminal import Styled, render_line, render_list, render_table
from contracts.resources import NewJob
from signoff.v1 import job_service_pb2 as jobs_pb

COMMANDS = list_commands()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")


def test_styles_are_for_terminals_whose_user_wants_them(monkeypatch):
    parts = ["it is ", Styled("FAILED", "red")]
    assert render_line(parts, Terminal()) == "it is \x1b[31mFAILED\x1b[0m"
    assert render_line(parts, io.StringIO()) == "it is FAILED"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[31m" in render_line(parts, io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert render_line(parts, Terminal()) == "it is FAILED"


def test_no_text_steers_the_terminal():
    assert render_line(["a\x1b[2Jb\n", Styled("c\r", "red")], io.StringIO()) == "a\N{REPLACEMENT CHARACTER}[2Jb c "
    assert render_table(["id"], [["a\x1b]0;x\x07\nb"]], Terminal()).count("\x1b") == 2  # of the bold header


def test_columns_are_as_wide_as_their_texts():
    table = render_table(["id", "title"], [["a", "one"], ["日本", None], ["abcdef", "three"]], io.StringIO())
    assert table.splitlines() == ["id      title", "a       one", "日本", "abcdef  three"]


def test_the_last_column_is_wrapped_on_a_terminal_alone():
    row = ["agent-1", "words " * 10 + "end"]
    wrapped = render_table(["", ""], [row], Terminal()).splitlines()
    assert len(wrapped) == 3
    assert {line[:9] for line in wrapped[1:]} == {" " * 9}
    assert max(map(len, wrapped)) <= 40
    assert render_table(["", ""], [row], io.StringIO()) == "agent-1  " + row[1] + "\n"


UUID_A, UUID_B = "01a21833-1379-7029-8282-0777d811bdfa", "01a21833-3bbe-79d2-b676-a32cec441922"


def make_job(job_id=UUID_A, **fields):
    """A job as lists show it, with all that makes a line long."""
    return SimpleNamespace(
        **{
            "id": job_id,
            "status": "RESUBMISSION_REQUIRED",
            "cancelled": False,
            "last_log": SimpleNamespace(code="agent_status", message="the agent answered 422: no"),
            "waiting": SimpleNamespace(reasons=[SimpleNamespace(code="limit_concurrency", name="tenant:press")]),
            "progress": 0.5,
            "agent_id": UUID_B,
            "submission": 12,
            "title": "title " * 33,
        }
        | fields
    )


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 200])
def test_a_line_of_a_list_is_no_wider_than_the_terminal_and_shows_the_id_and_some_of_the_title(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", shown := Terminal())
    show_jobs(Output(as_json=False), [make_job(), make_job(UUID_B, status="FAILED")], "", None)
    _, *lines = re.sub(r"\x1b\[\d+m", "", shown.getvalue()).splitlines()
    assert [line.split()[0] for line in lines] == [UUID_A, UUID_B]
    assert all("title" in line and line.endswith("\N{HORIZONTAL ELLIPSIS}") for line in lines)
    assert 50 < max(map(len, lines)) <= columns
    assert ("RESUBMISSION_REQUIRED" in lines[0]) == (columns >= 80)


@pytest.mark.parametrize("plain", [True, False])
def test_a_line_of_a_list_is_whole_in_a_pipe_and_where_it_is_plain(monkeypatch, plain):
    monkeypatch.setattr(sys, "stdout", shown := Terminal() if plain else io.StringIO())
    show_jobs(Output(as_json=False, plain=plain), [make_job()], "", None)
    columns, line = shown.getvalue().splitlines()
    assert " ".join(columns.split()) == "id short status code waits for progress agent submission title"
    assert line.endswith(("title " * 33).strip())


async def test_a_list_says_where_only_the_newest_were_searched(signoff, jobstore):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="c", agent_id="writer"))
    assert (await signoff("jobs", "list", "--json")).json.get("searched") is None
    assert "among the newest" not in (await signoff("jobs", "list")).out
    jobstore.nonsense["ListJobs"] = jobs_pb.ListJobsResponse(searched=20_000, next_page_token="more")
    lines = (await signoff("jobs", "list", "--text", "oem")).out.splitlines()
    more = "more: signoff jobs list --text oem --page-token more"
    assert lines[1:] == ["among the newest 20000: older ones were not looked at", more]
    assert (await signoff("jobs", "list", "--text", "oem", "--json")).json["searched"] == 20_000


def test_what_a_list_can_spare_goes_one_column_after_the_other():
    rows = [["1" * 10, "2" * 10, "3" * 10, "words " * 10]]
    kept = render_list(["id", "b", "c", "d"], rows, Terminal(), spared=["c", "b"]).splitlines()
    assert kept[1] == f"{'1' * 10}  {'2' * 10}  words words wor…"
    whole = render_list(["id", "b", "c", "d"], rows, io.StringIO(), spared=["c", "b"]).splitlines()
    assert whole[1].split()[:3] == rows[0][:3]
    _, *wrapped = render_list(["id", "b", "c", "d"], rows, Terminal(), spared=["c", "b"], wrapped=True).splitlines()
    assert max(map(len, wrapped)) <= 40
    assert " ".join(line[24:] for line in wrapped) == ("words " * 10).strip()


def test_a_table_without_rows_shows_its_columns():
    assert render_table(["id", "status"], [], io.StringIO()) == "id  status\n"


@pytest.mark.parametrize(
    ("arguments", "environment", "has_styles"),
    [
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--plain"], {"FORCE_COLOR": "1"}, False),
        ([], {}, False),
    ],
)
async def test_whoever_wants_no_colours_gets_none(signoff, jobstore, env, arguments, environment, has_styles):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))
    env.update(environment)
    ran = [await signoff("jobs", *words, *arguments) for words in (["list"], ["get", "nothing"])]
    assert [("\x1b" in each.out + each.err) for each in ran] == [has_styles] * 2


def test_a_long_message_is_cut_on_a_terminal_alone_and_not_where_it_is_plain(monkeypatch):
    at = datetime(2026, 11, 26, 12, tzinfo=UTC)
    nothing = dict.fromkeys(("attempt", "code", "kind", "progress", "cost_usd", "tokens"))
    log = SimpleNamespace(created_at=at, version=1, status="FAILED", message="why " * 100 + "end", **nothing)
    shown = []
    for stream, plain in ((Terminal(), False), (Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stdout", stream)
        Output(as_json=False, plain=plain).show_log(log)
        shown.append(stream.getvalue().rstrip())
    assert [line.endswith("end") for line in shown] == [False, True, True]
    assert shown[0].endswith("why…")
    assert re.match(r"2026-11-2\d \d\d:\d\d:00\.000 \S+  v1 ", shown[2])


def test_an_edit_of_a_failed_job_does_not_look_as_if_it_had_failed(monkeypatch):
    nothing = dict.fromkeys(("attempt", "progress", "cost_usd", "tokens"))
    edit = {"kind": "edited", "code": "edited", "status": "FAILED", "message": "edited: title, payload"}
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    Output(as_json=False).show_log(SimpleNamespace(created_at=datetime.now(UTC), version=6, **edit, **nothing))
    assert sys.stdout.getvalue().split()[3:] == ["v6", "edited", "title,", "payload"]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_argument_and_no_option_lacks_its_help(name: str) -> None:
    helps = {parameter.opts[-1]: parameter.help for parameter in COMMANDS[name].params} | {"": COMMANDS[name].help}
    assert [
        option for option, text in helps.items() if not text or len(text.split()) < 2 or not text.endswith(".")
    ] == []
    assert [text for text in helps.values() if UNCLEAR.search(text)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_never_says_what_an_option_takes_as_python_does(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "-h"], env={"COLUMNS": "200"}).stdout
    assert "Usage: " in shown
    assert re.findall(r"<list.*|<str>|<int.*|\w\]>", shown) == []


@pytest.mark.parametrize("name", ["", *sorted({name.rpartition(" ")[0] for name in COMMANDS} - {""})])
def test_a_group_shows_its_help_by_either_option(name: str) -> None:
    long, short = [CliRunner().invoke(app, [*name.split(), option]).stdout for option in ("--help", "-h")]
    assert ("Commands:" in short, short) == (True, long)


async def test_help_names_what_an_option_takes_as_people_do(signoff):
    shown = (await signoff("jobs", "create", "--help")).out
    assert re.search(r"--priority N +9 comes first", shown)
    assert "<str>" not in shown
    assert shown.index("Connection:") > shown.index("--plain")


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("jobs show", "jobs show [OPTIONS] JOB"),
        ("jobs diff", "jobs diff [OPTIONS] JOB [FROM] [TO]"),
        ("bulk cancel", "bulk cancel [OPTIONS] [JOB]..."),
    ],
)
async def test_usage_names_arguments_without_braces(signoff, name, usage):
    shown = (await signoff(*name.split(), "--help")).out
    assert shown.splitlines()[0].endswith(f" {usage}")
    assert re.search(r"^  JOB  +\w", shown, re.MULTILINE)


@pytest.mark.parametrize(("usd", "shown"), [("0.000042", "0.000042"), ("1234567.891", "1234570"), ("0.1", "0.1")])
def test_money_is_shown_in_digits_however_little_it_is(usd, shown):
    assert format_usd(usd) == f"{shown} USD"
