"""Every command of the command line, as a door: what it is asked about one tenant's things, and which RPC it needs."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Final

from promises.__main__ import CATALOGUE, ROOT
from typer.testing import CliRunner

from access.credentials import Credential
from access.doors import Answer, Door, find_access
from access.things import Things
from cli.__main__ import app

#: Commands that call no jobstore, or none for a caller: they work on files, topics, a database or a stack of their own.
#: `doctor` asks all parts, and says which of them its token does not open; others wait for what nobody does here.
LOCAL: Final = frozenset(
    {
        *(
            "agents try",
            "archive show",
            "archive verify",
            "backup",
            "completion",
            "demo",
            "doctor",
            "fact-keys",
            "judge import",
            "kafka acls",
            "kafka users",
            "jobs open",
            "login",
            "logout",
            "profiles list",
        ),
        *(
            "profiles remove",
            "profiles use",
            "rebuild",
            "receipt verify",
            "replay",
            "restore",
            "tenants use",
            "traces export",
            "up",
            "verify",
        ),
    }
)
#: What others are given, and the RPC by which they are refused. A job is found by its id, as it is.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "agents create": ("--name x --url http://127.0.0.1:1/", "CreateAgent"),
    "agents disable": ("{agent_id}", "DisableAgent"),
    "agents get": ("{agent_id}", "GetAgent"),
    "agents list": ("", "ListAgents"),
    "agents pause": ("{agent_id}", "Pause"),
    "agents resume": ("{agent_id}", "Pause"),
    "agents show": ("{agent_id}", "GetAgent"),
    "agents tries": ("{agent_id}", "ListAgentTries"),
    "agents update": ("{agent_id} --name x", "UpdateAgent"),
    "audit export": ("", "ExportAudit"),
    "audit list": ("", "ListAudit"),
    "batches cancel": ("{operation_id}", "CancelOperation"),
    "batches create": ("{job_id}", "ExecuteJobs"),
    "batches get": ("{operation_id}", "GetOperation"),
    "batches list": ("", "ListOperations"),
    "batches pause": ("{operation_id}", "PauseOperation"),
    "batches resume": ("{operation_id}", "ResumeOperation"),
    "batches retry": ("{operation_id}", "RetryOperation"),
    "bulk abort": ("{operation_id}", "CancelOperation"),
    "bulk cancel": ("{job_id} --yes", "CreateOperation"),
    "bulk execute": ("{job_id} --yes", "CreateOperation"),
    "bulk get": ("{operation_id}", "GetOperation"),
    "bulk list": ("", "ListOperations"),
    "bulk pause": ("{operation_id}", "PauseOperation"),
    "bulk resume": ("{operation_id}", "ResumeOperation"),
    "criteria lint": ("--criteria x", "LintCriteria"),
    "criteria list": ("", "ListCriteriaSets"),
    "criteria retire": ("{criteria_set}", "RetireCriteriaSet"),
    "criteria show": ("{criteria_set}", "GetCriteriaSet"),
    "dlq list": ("", "ListDeadLetters"),
    "dlq redrive": ("execute-requested", "ResolveDeadLetters"),
    "executions get": ("{execution_id}", "GetExecution"),
    "explain": ("", "ListJobs"),
    "inbox": ("", "UpdateInbox"),
    "quality": ("", "GetQuality"),
    "jobs count": ("", "CountJobs"),
    "jobs create": ("--title x --criteria x", "CreateJob"),
    "jobs facets": ("label", "ListJobFacets"),
    "jobs get": ("{job_id}", "GetJob"),
    "jobs hold": ("{job_id}", "HoldJob"),
    "jobs holds": ("", "ListHolds"),
    "jobs list": ("", "ListJobs"),
    "jobs logs": ("{job_id}", "ListJobLogs"),
    "jobs release": ("{job_id}", "ReleaseJob"),
    "judges list": ("", "ListJudgePolicies"),
    "judges promote": ("{judge} 99", "PromoteJudgePolicy"),
    "judges retire": ("{judge}", "RetireJudgePolicy"),
    "judges show": ("{judge}", "GetJudgePolicy"),
    "limits confirm": ("", "ConfirmLimits"),
    "limits get": ("{limit}", "GetLimit"),
    "limits list": ("", "ListLimits"),
    "limits set": ("{limit} --concurrency 5", "SetLimit"),
    "login-link": ("", "CreateLoginCode"),
    "open": ("", "CreateLoginCode"),
    "overview": ("", "GetOverview"),
    "receipt get": ("{job_id}", "GetReceipt"),
    "receipt keys": ("", "ListReceiptKeys"),
    "kept": ("", "GetKept"),
    "retention set": ("{retention} --completed 90d --dry-run", "PreviewRetention"),
    "retention show": ("{retention}", "GetRetention"),
    "sessions list": ("", "ListSessions"),
    "tenants create": ("{tenant}", "CreateTenant"),
    "tenants list": ("", "ListTenants"),
    "tokens create": ("--name {token} --role viewer --tenant {tenant}", "CreateToken"),
    "tokens list": ("", "ListTokens"),
    "whoami": ("", "GetCaller"),
    "workers": ("", "GetWorkers"),
}
#: Commands whose RPCs others call, too, or REST's routes: these are walked there.
ALIKE: Final = frozenset(
    {
        "batches watch",
        "bulk assign",
        "bulk report",
        "bulk resubmit",
        "bulk retry",
        "criteria set",
        "dlq discard",
        "jobs assign",
        "jobs cancel",
        "jobs diff",
        "jobs edit",
        "jobs execute",
        "jobs explain",
        "jobs remove",
        "jobs resubmit",
        "jobs show",
        "jobs watch",
        "judge draft",
        "judge evaluate",
        "judge report",
        "judge test",
        "judge try",
        "judges diff",
        "judges golden",
        "judges set",
        "limits pause",
        "limits remove",
        "limits resume",
        "rejudge",
        "retention rm",
        "sessions end",
        "tokens revoke",
        "tokens rotate",
        "watch",
    }
)
#: The credentials with which commands run: each command takes tenths of a second.
CREDENTIALS: Final = ("none", "ended", "viewer-press", "operator-press", "administrator-press", "administrator-radio")


class CommandLine(Door):
    """A command."""

    reads_first = True

    def __init__(self, name: str, jobstore: str, http: str) -> None:
        arguments, rpc = COMMANDS[name]
        self.name, self.access = f"signoff {name}", find_access(rpc)
        self._arguments, self._where = [*name.split(), *arguments.split()], (jobstore, http)

    async def ask(self, credential: Credential, things: Things) -> Answer:
        """Run the command with a credential about some things."""
        arguments = [each.format_map(dict(things.ids)) for each in self._arguments]
        jobstore, http = self._where
        environment = {"SIGNOFF_JOBSTORE": jobstore, "SIGNOFF_HTTP": http, "SIGNOFF_TOKEN": credential.secret or ""}
        ran = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"], env=environment)
        code = re.search(r'"code": ?"(\w+)"', ran.stderr)
        return Answer("ok" if ran.exit_code == 0 or code is None else code[1], f"{ran.stdout}\n{ran.stderr}")


def list_commands() -> Iterator[str]:
    """Yield the commands that the catalogue names, without groups of commands."""
    lines = [line for line in (ROOT / CATALOGUE).read_text("utf-8").splitlines() if line.startswith("cli.command ")]
    names = [line.removeprefix("cli.command signoff ").partition(":")[0] for line in lines]
    yield from (name for name in names if not any(other.startswith(f"{name} ") for other in names))


def list_command_lines(jobstore: str, http: str) -> Iterator[CommandLine]:
    """Yield the commands that are walked."""
    return (CommandLine(name, jobstore, http) for name in COMMANDS)
