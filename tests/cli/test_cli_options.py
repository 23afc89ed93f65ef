"""Options are named like the fields that they give; those that are not stand here, with their reason."""

import asyncio
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from support.commands import list_commands
from support.fake_jobstore import TOKEN

from cli.plain_values import EARLIER
from contracts.judging.policy import JudgePolicy
from signoff.v1 import job_service_pb2 as jobs_pb

ROOT = Path(__file__).parents[2]
FIELDS = {
    field.name
    for path in (ROOT / "proto/signoff/v1").glob("*.proto")
    for message in import_module(f"signoff.v1.{path.stem}_pb2").DESCRIPTOR.message_types_by_name.values()
    for field in message.fields
    if field.is_repeated or field.message_type is None or field.message_type.full_name.startswith("google.")
} | JudgePolicy.model_fields.keys()
_LOOKED_UP = "it takes a name, or a part of the id, and looks the id up"
_HERE = "what the command does with what is asked for, or answered"
_LOCAL = "where things are, or run, on this machine"
_STEPS = "how a policy of one or two models is written, whose JSON has stages"
#: Options that are no field's, and why.
OPTIONS = {
    "--agent": _LOOKED_UP,
    "--batch": _LOOKED_UP,
    "--job": _LOOKED_UP,
    "--not-agent": _LOOKED_UP,
    "--not-batch": _LOOKED_UP,
    "--to": "the agent that jobs are assigned to, beside --agent, to whom they are assigned now",
    "--lasts": "the length of time of lasts_s, such as 30d",
    "--overlap": "the length of time of overlap_s, such as 1d",
    "--not-now": "what the page's button says of a group of the inbox, which is then one of `snoozed`",
    "--for": "the length of time until `until`, such as 2h",
    "--show": "the opposite of --not-now: groups of `shown`",
    "--not-shared": "the opposite of --shared",
    "--disabled": "the opposite of --enabled",
    "--not-cancelled": "the opposite of --cancelled",
    "--waiting-for": "reasons of a job's wait, of a filter",
    "--unset": "fields of a limit by their names, which a patch makes null",
    "--range": "an overview's, by its name, as over REST",
    "--last": "how many of the newest results a draft is tried on",
    "--least": "both of true_positive_rate_min and true_negative_rate_min",
    "--report": "a file of the report_json that gRPC takes, and REST as report",
    "--base-url": _STEPS,
    "--cascade": _STEPS,
    "--each": _STEPS,
    "--label": "of `judge import`, a field of foreign cases that are imported",
    "--skip-bad": _HERE,
    "--execute": _HERE,
    "--file": _HERE,
    "--format": _HERE,
    "--full": _HERE,
    "--html": _HERE,
    "--json": _HERE,
    "--none": _HERE,
    "--output": _HERE,
    "--plain": _HERE,
    "--promote": _HERE,
    "--publish": _HERE,
    "--remove": _HERE,
    "--set": _HERE,
    "--timeout-s": _HERE,
    "--wait": _HERE,
    "--yes": _HERE,
    "--accept-gaps": _LOCAL,
    "--archive": _LOCAL,
    "--archived": "of a removed job: GetRemovedJob is asked, in place of GetJob or GetReceipt",
    "--from": _LOCAL,
    "--keep-days": _LOCAL,
    "--number": _LOCAL,
    "--apply": _HERE,
    "--secure": _LOCAL,
    "--demo": _LOCAL,
    "--no-demo": _LOCAL,
    "--user": "the name that a broker knows a user by",
    "--content": "of traces, which no service makes",
    "--create": _LOCAL,
    "--data-dir": _LOCAL,
    "--database-url": _LOCAL,
    "--endpoints": _LOCAL,
    "--endpoints-file": _LOCAL,
    "--executors": _LOCAL,
    "--grpc-port": _LOCAL,
    "--http": _LOCAL,
    "--http-port": _LOCAL,
    "--jobstore": _LOCAL,
    "--jobstore-ca": _LOCAL,
    "--jobstore-certificate": _LOCAL,
    "--jobstore-key": _LOCAL,
    "--jobstores": _LOCAL,
    "--kafka": _LOCAL,
    "--kafka-port": _LOCAL,
    "--no-short-lived": _LOCAL,
    "--postgres-port": _LOCAL,
    "--profile": _LOCAL,
    "--short-lived": _LOCAL,
    "--token-file": _LOCAL,
}


def find_names(option: str, parameter: Any) -> set[str]:
    """Return the fields that an option may be named like: of a list by its items, or by `no`, `remove` and them."""
    name = option.removeprefix("--").removeprefix("no-").removeprefix("remove-").replace("-", "_")
    plurals = {f"{name}s", f"{name}es", f"{name.removesuffix('y')}ies", name.replace("criterion", "criteria")}
    return {name} | (plurals if parameter.multiple else set())


def list_options() -> Iterator[tuple[str, str, Any]]:
    """Yield each option that is shown, the command that it is of, and what it is."""
    for command, found in list_commands().items():
        for parameter in found.params:
            for option in parameter.opts + parameter.secondary_opts:
                if option.startswith("--") and not parameter.hidden:
                    yield option, command, parameter


def test_each_option_is_named_like_a_field_or_has_its_reason() -> None:
    others = {option for option, _, parameter in list_options() if not find_names(option, parameter) & FIELDS}
    assert others == set(OPTIONS)


def test_an_earlier_name_means_nothing_else_in_the_commands_that_take_it() -> None:
    shown = {(option, command) for option, command, _ in list_options()}
    assert {name for name in EARLIER.values() if name not in dict(shown)} == set()
    both = {(each, command) for each, name in EARLIER.items() for option, command in shown if option == name}
    assert both & shown == set()


@pytest.mark.parametrize(("earlier", "now"), [("--limit", "--page-size"), ("--sort", "--order")])
async def test_what_an_earlier_name_gives_is_the_same(signoff, earlier, now):
    words = {"--limit": "1", "--sort": "created_at"}
    was, is_now = [await signoff("jobs", "list", name, words[earlier], "--json") for name in (earlier, now)]
    assert (was.status, was.out) == (0, is_now.out)
    assert earlier not in (await signoff("jobs", "list", "--help")).out


@pytest.mark.parametrize("words", [("-o", "json"), ("-ojson",), ("--format", "json"), ("--format=json",)], ids=" ".join)
async def test_the_form_of_output_is_named_as_kubectl_and_gh_do(signoff, words):
    as_json, named = [await signoff("agents", "list", *more) for more in (("--json",), words)]
    assert (named.status, named.out) == (0, as_json.out)
    wrong = await signoff("agents", "list", *words, "--nothing")
    assert (wrong.status, json.loads(wrong.err)["code"]) == (2, "usage")


async def test_a_table_is_what_people_get(signoff):
    by_itself, named = [await signoff("agents", "list", *more) for more in ((), ("-o", "table"))]
    assert (named.status, named.out) == (0, by_itself.out)
    both = await signoff("agents", "list", "--json", "-o", "table")
    assert (both.status, json.loads(both.err)["code"]) == (2, "usage")


def test_each_command_takes_the_form_of_its_output():
    names = {
        command: {option for each in found.params for option in each.opts} for command, found in list_commands().items()
    }
    assert [command for command, known in names.items() if not known >= {"--json", "--format", "-o"}] == []
    assert {
        command for command, found in list_commands().items() for each in found.params if each.opts == ["--format"]
    } == {
        "judge import",
        "judges golden",
    }, "their -o is that of a file, since 0.2.0"


def test_the_page_can_copy_each_filter_of_the_list_as_an_option():
    openapi = json.loads((ROOT / "services/console/web/openapi.json").read_text())
    params = {each["name"] for each in openapi["paths"]["/api/jobs"]["get"]["parameters"] if each["in"] == "query"}
    flags = {name: f"--{name.removesuffix('_id').replace('_', '-')}" for name in params} | {"reason": "--waiting-for"}
    options = {option for each in list_commands()["jobs list"].params for option in each.opts}
    assert {name for name, flag in flags.items() if flag not in options} == {"id_part"}, "which --text finds"


PAGES = [
    (["--text", "it's $(id)"], """--text 'it'"'"'s $(id)'"""),
    (["--page-token", "first", "--status", "failed"], "--status failed"),
    (["--cursor=first", "--limit", "1"], "--limit 1"),
    (["--token", TOKEN], '--token "$SIGNOFF_TOKEN"'),
]


@pytest.mark.parametrize(("given", "shown"), PAGES)
async def test_the_next_page_is_a_command_to_be_pasted(signoff, jobstore, given, shown):
    jobstore.nonsense["ListJobs"] = jobs_pb.ListJobsResponse(next_page_token="m o're")
    ran = await signoff("jobs", "list", *given)
    more = ran.out.splitlines()[-1]
    assert more == f"""more: signoff jobs list {shown} --page-token 'm o'"'"'re'"""
    pasted = await asyncio.create_subprocess_exec(
        "bash", "-c", more.replace("more: signoff", "printf '%s;'"), stdout=asyncio.subprocess.PIPE
    )
    words, _ = await pasted.communicate()
    assert words.decode().split(";")[-3:] == ["--page-token", "m o're", ""]
