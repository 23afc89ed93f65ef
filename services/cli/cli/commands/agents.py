"""The group `signoff agents`."""

import asyncio
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Options, find_given, option, parse_pairs, parse_value, read_json, read_text, validate_resource
from cli.output import Output, format_percentiles, format_policy, format_spent, format_time, format_usd
from cli.parameters import AgentId, PageSize, PageToken, find_agent, find_agent_id, policy_option
from cli.session import Session, command, make_app, succeed_if, with_options
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.status import CheckOutcome, Circuit, Protocol, TryState

if TYPE_CHECKING:
    from signoff.types import Agent, AgentStats, AgentTry, Job

#: Seconds between two looks at a try that is under way.
POLL_S = 0.5
#: Seconds after which a try that no executor has taken says so.
UNTAKEN_S = 3.0
#: Capabilities that an agent may have.
CAPABILITIES_MAX = 64
#: The newest jobs of an agent that are shown.
JOBS_SHOWN = 10
#: Seconds for which the card of a new agent is waited for.
CARD_WAIT_S = 3.0

app = make_app("Register and change agents.")


def _parse_headers(texts: list[str], flag: str) -> dict[str, str]:
    """Return the references of texts NAME=REFERENCE by name. Raise BadParameter, without the text: it may be secret."""
    if not all("=" in text for text in texts):
        raise typer.BadParameter("is not NAME=REFERENCE", param_hint=flag)
    return {name: reference for name, _, reference in (text.partition("=") for text in texts)}


def _parse_settings(text: str, flag: str) -> dict[str, Any]:
    """Return the settings in JSON, as `read_json` reads it. Raise BadParameter if it is no object."""
    settings = read_json(text, flag)
    if not isinstance(settings, dict):
        raise typer.BadParameter('is no object, such as {"model": "gpt-5"}', param_hint=flag)
    return settings


def _parse_setting(texts: list[str], flag: str) -> dict[str, Any]:
    """Return the settings of texts NAME=VALUE, by name; a value that is no JSON is a text."""
    pairs = parse_pairs(texts, flag).items()
    return {name: parse_value(read_text(text, flag), f"{flag} {name}") for name, text in pairs}


def _take_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return options in which the settings given whole, and those given one by one, are one field."""
    given = {name: options.pop(name) for name in ("settings", "setting") if name in options}
    return options | ({"settings": {**given.get("settings", {}), **given.get("setting", {})}} if given else {})


with_agent_options = with_options(
    options=Options(
        option("--capability", list[str], "A capability of it. May be repeated.", "capabilities"),
        option("--deterministic/--no-deterministic", bool, "Its result may be reused for an identical request."),
        option(
            "--header",
            list[str],
            "Sent with every call; REFERENCE says where executors find the value: env:SIGNOFF_AGENT_<NAME> or "
            "file:<path>. May be repeated.",
            "headers",
            metavar="NAME=REFERENCE",
            parse=_parse_headers,
        ),
        option(
            "--settings",
            str,
            "What its protocol needs to know, as a JSON object; of an update, null removes a member.",
            metavar="JSON|@FILE|-",
            parse=_parse_settings,
        ),
        option(
            "--setting",
            list[str],
            "One of its settings, such as model=gpt-5; VALUE is JSON, or a text that begins as none. May be repeated.",
            metavar="NAME=VALUE|@FILE",
            parse=_parse_setting,
        ),
        option(
            "--signing",
            str,
            "Of http and http_async: where executors find the one or two secrets that sign each call, as of --header.",
            metavar="REFERENCE",
        ),
        option(
            "--shared/--not-shared",
            bool,
            "Whether jobs of all tenants may use it; of a new one, not given: if its tenant is `default`.",
        ),
        policy_option,
    ),
    limit=Options(
        option(
            "--concurrency", int, "Executions that it has at once; `signoff limits` has the rest of its limit.", min=0
        ),
        option("--rate", int, "Executions that it begins in each --rate-period-s.", min=1),
        option("--rate-period-s", float, "The period of --rate; 1 when not given.", metavar="SECONDS"),
    ),
)


@command(app, "create")
@with_agent_options
async def create(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    jobstore: AsyncClient,
    name: Annotated[str, typer.Option(help="The name that people see.")],
    url: Annotated[str, typer.Option(help="The address that it is called at.")],
    options: dict[str, Any],
    limit: dict[str, Any],
    agent_id: Annotated[str | None, typer.Option("--id", help="Its id; one is made when not given.")] = None,
    protocol: Annotated[Protocol, typer.Option(help="How executors talk to it.")] = Protocol.HTTP,
    tenant: Annotated[
        str | None,
        typer.Option(help="Whose it is, by itself that of the profile; its id begins with `<tenant>:` then."),
    ] = None,
) -> None:
    """Register an agent."""
    fields = {"id": agent_id, "name": name, "url": url, "protocol": protocol}
    fields = cli.in_tenant(fields | find_given(tenant=tenant))
    agent = validate_resource("NewAgent", fields | _take_settings(options), "the agent")
    created = await jobstore.create_agent(agent)
    await _set_limit(jobstore, created.id, limit)
    show_agent(cli.out, await _wait_for_card(jobstore, created))


async def _wait_for_card(jobstore: AsyncClient, agent: "Agent") -> "Agent":
    """Return an agent once an executor has read its card, or as it is after CARD_WAIT_S: maybe no executor runs."""
    ends_at = monotonic() + CARD_WAIT_S
    while _is_card_awaited(agent) and monotonic() < ends_at:
        await asyncio.sleep(POLL_S)
        agent = await jobstore.get_agent(agent.id)
    return agent


def _is_card_awaited(agent: "Agent") -> bool:
    """Return whether an executor is to read the card of an agent as it is now."""
    if agent.protocol != Protocol.A2A or not agent.enabled:
        return False
    return agent.card is None or agent.card.read_at < agent.updated_at


async def _set_limit(jobstore: AsyncClient, agent_id: str, given: dict[str, Any]) -> None:
    """Set the fields of an agent's limit that are in `given`, and leave the other fields as they are."""
    if given:
        await jobstore.set_limit(f"agent:{agent_id}", validate_resource("LimitPatch", given, "the limit"))


@command(app, "list")
async def list_(cli: Session, jobstore: AsyncClient, page_size: PageSize = 100, page_token: PageToken = "") -> None:
    """List agents by name."""
    columns = {
        "id": lambda agent: agent.id,
        "name": lambda agent: agent.name,
        "protocol": lambda agent: " ".join(
            filter(None, (agent.protocol, *map(agent.settings.get, ("model", "assistant"))))
        ),
        "gets work": _gets_work,
        "circuit": _format_circuit,
        "capabilities": lambda agent: " ".join(agent.capabilities),
        "url": lambda agent: agent.url,
    }
    page = await jobstore.list_agents(page_size=page_size, page_token=page_token)
    cli.out.print_items(*page, columns, spared=["capabilities", "protocol"])


@command(app, "get")
async def get(cli: Session, jobstore: AsyncClient, agent_id: AgentId) -> None:
    """Show one agent."""
    show_agent(cli.out, await find_agent(jobstore, agent_id))


@command(app, "show")
async def show(cli: Session, jobstore: AsyncClient, agent_id: AgentId) -> None:
    """Show how an agent does: its health, times, costs, failures and refusals of 24 hours, and its newest jobs."""
    agent = await find_agent(jobstore, agent_id)
    found, _ = await jobstore.get_agent_stats(agent_id=agent.id)
    jobs, _ = await jobstore.list_jobs(agent_id=agent.id, page_size=JOBS_SHOWN)
    show_health(cli.out, agent, found[0] if found else None, jobs)


def show_health(out: Output, agent: "Agent", stats: "AgentStats | None", jobs: "Sequence[Job]") -> None:
    """Print how an agent does: as JSON with --json, else its figures, failures, refusals and newest jobs."""
    out.print_json({"agent": agent, "stats": stats, "jobs": jobs})
    out.print_fields(
        ("id", agent.id),
        ("name", agent.name),
        ("gets work", _gets_work(agent)),
        ("circuit", _format_circuit(agent)),
        *([("last 24h", "nothing to do")] if stats is None else _describe_stats(stats)),
        ("policy", format_policy(agent.policy)),
    )
    if jobs:
        out.print_line()
        out.print_table(["newest jobs", "status", ""], [(job.id, job.status, job.title) for job in jobs])


def _describe_stats(stats: "AgentStats") -> list[tuple[str, object]]:
    failed = stats.ended - stats.completed - stats.refused
    ends = f"{stats.completed} of {stats.ended} accepted, {stats.refused} not accepted, {failed} failed"
    return [
        *((f"circuit {each.circuit.lower()}", format_time(each.at)) for each in stats.circuit_changes),
        ("now", f"{stats.running} running, {stats.queued} queued"),
        ("last 24h", ends if stats.ended else "nothing ended"),
        ("spent", format_spent(stats.cost_usd, stats.tokens)),
        ("cost a job", "" if stats.mean_cost_usd is None else format_usd(stats.mean_cost_usd)),
        ("wait", format_percentiles(stats.wait)),
        ("answers in", format_percentiles(stats.agent)),
        ("judged in", format_percentiles(stats.judge)),
        *((f"failed: {code}", count) for code, count in stats.failures.items()),
        *((f"not met: {criterion}", count) for criterion, count in stats.refusals.items()),
    ]


@command(app, "update")
@with_agent_options
async def update(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    agent_id: AgentId,
    options: dict[str, Any],
    limit: dict[str, Any],
    name: Annotated[str | None, typer.Option(help="The name that people see.")] = None,
    url: Annotated[str | None, typer.Option(help="The address that it is called at.")] = None,
    protocol: Annotated[Protocol | None, typer.Option(help="How executors talk to it.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Whether it gets work.")] = None,
    remove_header: Annotated[
        list[str] | None, typer.Option("--remove-header", metavar="NAME", help="Send it no more. May be repeated.")
    ] = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Send it no headers any more.")] = False,
    no_signing: Annotated[bool, typer.Option("--no-signing", help="Sign its calls no more.")] = False,
) -> None:
    """Change the given fields of an agent, and nothing else; capabilities replace all that it had.

    Its protocol is fixed: --protocol is taken if it says the same.
    """
    for flag, option_, is_given in (("headers", "header", no_headers), ("signing", "signing", no_signing)):
        if is_given and flag in options:
            raise typer.BadParameter(f"give either this or --{option_}", param_hint=f"--no-{flag}")
    changes = _take_settings(options) | find_given(name=name, url=url, protocol=protocol, enabled=enabled)
    if remove_header:
        changes["headers"] = {**options.get("headers", {}), **dict.fromkeys(remove_header)}
    if no_headers:
        changes["headers"] = None
    if no_signing:
        changes["signing"] = None
    patch = validate_resource("AgentPatch", changes, "the agent")
    async with cli.jobstore() as jobstore:
        agent_id = await find_agent_id(jobstore, agent_id)
        await _set_limit(jobstore, agent_id, limit)
        changed = await (jobstore.update_agent(agent_id, patch) if changes else jobstore.get_agent(agent_id))
        show_agent(cli.out, changed)


@command(app, "disable")
async def disable(cli: Session, jobstore: AsyncClient, agent_id: AgentId) -> None:
    """Disable an agent: it gets no more work."""
    show_agent(cli.out, await jobstore.disable_agent(await find_agent_id(jobstore, agent_id)))


@command(app, "pause")
async def pause(cli: Session, jobstore: AsyncClient, agent_id: AgentId) -> None:
    """Pause an agent: it is given nothing new until it is resumed; what it has begun goes on."""
    agent_id = (await find_agent(jobstore, agent_id)).id
    await jobstore.pause(f"agent:{agent_id}")
    show_agent(cli.out, await jobstore.get_agent(agent_id))


@command(app, "resume")
async def resume(cli: Session, jobstore: AsyncClient, agent_id: AgentId) -> None:
    """Resume an agent: it is given work again."""
    agent_id = (await find_agent(jobstore, agent_id)).id
    await jobstore.resume(f"agent:{agent_id}")
    show_agent(cli.out, await jobstore.get_agent(agent_id))


@command(app, "try")
async def try_(  # noqa: PLR0917 - each is an option
    cli: Session,
    jobstore: AsyncClient,
    agent_id: AgentId,
    payload: Annotated[
        str | None, typer.Option(metavar="JSON", help="JSON, that in @file, or standard input (-).")
    ] = None,
    title: Annotated[str, typer.Option(help="As a job's.")] = "A try",
    description: Annotated[str, typer.Option(help="As a job's.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Find out besides how it keeps to its protocol, by further calls.")
    ] = False,
) -> None:
    """Call an agent once through an executor, and show each request and answer; no job is made.

    Succeed if it gave a result, and failed no check.
    """
    fields: dict[str, Any] = {"title": title, "description": description, "check": check}
    if payload is not None:
        fields["payload"] = read_json(payload, "--payload")
    new = validate_resource("NewAgentTry", fields, "the try")
    agent_id = (await find_agent(jobstore, agent_id)).id
    made = await jobstore.create_agent_try(agent_id, new)
    with cli.look_again_by(f"signoff agents tries {agent_id} --id {made.id}", try_id=str(made.id)):
        told_at = monotonic() + UNTAKEN_S
        while made.state != TryState.DONE:  # the jobstore ends it in time, whatever becomes of executors
            await asyncio.sleep(POLL_S)
            made = await jobstore.get_agent_try(agent_id, made.id)
            if made.state == TryState.QUEUED and monotonic() > told_at:
                told_at = math.inf
                message = "no executor has taken it yet: `signoff doctor` says whether one runs"
                cli.out.print_aside({"message": message}, Styled(message))
    show_try(cli.out, made)
    succeed_if(made.code is None and all(each.outcome != CheckOutcome.FAILED for each in made.checks))


@command(app, "tries")
async def tries(
    cli: Session,
    jobstore: AsyncClient,
    agent_id: AgentId,
    try_id: Annotated[str | None, typer.Option("--id", metavar="TRY", help="Show this one whole.")] = None,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> None:
    """List the tries of an agent in the last day, newest first."""
    agent_id = (await find_agent(jobstore, agent_id)).id
    if try_id is not None:
        show_try(cli.out, await jobstore.get_agent_try(agent_id, try_id))
        return
    columns = {
        "id": lambda each: each.id,
        "at": lambda each: format_time(each.created_at),
        "kind": lambda each: "check" if each.check else "try",
        "state": lambda each: each.state,
        "code": lambda each: each.code or "",
    }
    cli.out.print_items(*await jobstore.list_agent_tries(agent_id, page_size=page_size, page_token=page_token), columns)


def show_try(out: Output, made: "AgentTry") -> None:
    """Print a try: as JSON with --json, else each request with its answer, what came of it, and each check."""
    out.print_json(made)
    for exchange in made.exchanges:
        out.print_line(f"> {exchange.method} {exchange.url}")
        _show_message(out, ">", exchange.request_headers, exchange.request_body)
        if exchange.status is not None:
            out.print_line(f"< {exchange.status} after {exchange.duration_s:.3f} s")
            _show_message(out, "<", exchange.response_headers, exchange.response_body)
        if exchange.code is not None:
            advice = exchange.advice if exchange.code != made.code else None  # that of the try stands below
            out.print_line(". ".join(filter(None, (f"! {exchange.code}: {exchange.message}", advice))))
    out.print_fields(
        ("id", str(made.id)),
        ("state", made.state),
        ("result", _format_value(made.result) if made.state == TryState.DONE and made.code is None else ""),
        ("code", made.code or ""),
        ("message", made.message or ""),
        ("what to do", made.advice or ""),
        ("cost", format_spent(made.cost_usd, made.tokens)),
        *(
            (f"{each.check}: {each.outcome}", ". ".join(filter(None, (each.message, each.advice))))
            for each in made.checks
        ),
    )


def _show_message(out: Output, mark: str, headers: Mapping[str, str], body: str) -> None:
    for name, value in headers.items():
        out.print_line(f"{mark} {name}: {value}")
    for line in body.splitlines():
        out.print_line(f"{mark} {line}")


def show_agent(out: Output, agent: "Agent") -> None:
    """Print an agent: as JSON with --json, else its fields, a line each."""
    out.print_json(agent)
    out.print_fields(
        ("id", agent.id),
        ("name", agent.name),
        ("protocol", agent.protocol),
        ("url", agent.url),
        ("gets work", _gets_work(agent)),
        ("circuit", _format_circuit(agent)),
        ("capabilities", " ".join(agent.capabilities)),
        ("tenant", f"{agent.tenant}, shared with all" if agent.shared else agent.tenant),
        ("deterministic", "yes" if agent.deterministic else ""),
        *(("header", f"{name}={reference}") for name, reference in agent.headers.items()),
        ("signing", agent.signing or ""),
        *(("setting", f"{name}={_format_value(value)}") for name, value in agent.settings.items()),
        ("policy", format_policy(agent.policy)),
        *_describe_card(agent),
    )
    if offered := find_offered(agent):
        command = ["signoff", "agents", "update", agent.id, *(f"--capability={each}" for each in offered)]
        out.print_line(f"\nTake its skills as capabilities: {shlex.join(command)}")


def find_offered(agent: "Agent") -> list[str]:
    """Return an agent's capabilities with the skills of its card that are none yet; nothing if there are no such."""
    skills = [skill.id for skill in agent.card.skills] if agent.card is not None else []
    offered = list(dict.fromkeys(filter(None, (*agent.capabilities, *skills))))[:CAPABILITIES_MAX]
    return offered if len(offered) > len(agent.capabilities) else []


def _describe_card(agent: "Agent") -> list[tuple[str, str]]:
    """Return what an A2A server says of itself, or why that is not known."""
    if agent.protocol != Protocol.A2A:
        return []
    card = agent.card
    if card is None:
        waits = "an executor that runs reads it" if agent.enabled else "the agent is disabled"
        return [("card", f"not read yet: {waits}")]
    lines = [("card", f"cannot be read ({card.code}): {card.message}")] if card.code else []
    if _is_card_awaited(agent):
        lines.append(("card", "of before the agent was changed: an executor that runs reads it again"))
    if card.binding:
        listed = "yes" if card.lists_tasks else "no: under at_most_once a lost call ends agent_work_unknown"
        lines += [("card", f"{card.name} {card.version}, {card.binding} at {card.url}"), ("lists tasks", listed)]
        lines += [("card read", format_time(card.read_at))]
    if card.changed_at is not None:
        lines += [("card changed", f"{format_time(card.changed_at)}: {change}") for change in card.changes]
    return [*lines, *(("skill", f"{skill.id}: {skill.name}") for skill in card.skills)]


def _format_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _gets_work(agent: "Agent") -> str:
    return "no: disabled" if not agent.enabled else "no: paused" if agent.paused else "yes"


def _format_circuit(agent: "Agent") -> Styled:
    """Return the state of an agent's circuit, and for an open circuit the time until which it stays open."""
    words = agent.circuit.replace("_", " ").lower()
    if agent.circuit is Circuit.OPEN and agent.circuit_open_until is not None:
        words += f" until {format_time(agent.circuit_open_until)}"
    return Styled(words, "" if agent.circuit is Circuit.CLOSED else "red")
