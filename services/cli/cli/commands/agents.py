"""The group `signoff agents`."""

from typing import Annotated, Any

import typer

from cli.commands.jobs import PageSize, PageToken
from cli.options import validate_model
from cli.parameters import AgentId, PolicyFields, find_agent, find_agent_id, parse_policy
from cli.session import Session, command, make_app
from signoff import AsyncClient
from signoff.status import Protocol

app = make_app("Register and change agents.")

Capability = Annotated[list[str] | None, typer.Option("--capability", help="What it is able to do. May be repeated.")]
Deterministic = Annotated[
    bool | None,
    typer.Option("--deterministic/--no-deterministic", help="Its result may be reused for an identical request."),
]
Concurrency = Annotated[
    int | None, typer.Option(min=0, help="Executions that it has at once; `signoff limits` has the rest of its limit.")
]
Rate = Annotated[int | None, typer.Option(min=1, help="Executions that it begins in each --rate-period-s.")]
PerS = Annotated[
    float | None, typer.Option("--rate-period-s", metavar="SECONDS", help="The period of --rate; 1 when not given.")
]
Header = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="NAME=REFERENCE",
        help="Sent with every call; REFERENCE says where executors find the value: env:SIGNOFF_AGENT_<NAME> or "
        "file:<path>. May be repeated.",
    ),
]


@command(app, "create")
async def create(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    name: Annotated[str, typer.Option(help="The name that people see.")],
    url: Annotated[str, typer.Option(help="The address that it is called at.")],
    agent_id: Annotated[str | None, typer.Option("--id", help="Its id; one is made when not given.")] = None,
    protocol: Annotated[Protocol, typer.Option(help="How executors talk to it.")] = Protocol.HTTP,
    capability: Capability = None,
    deterministic: Deterministic = None,
    header: Header = None,
    policy: PolicyFields = None,
    concurrency: Concurrency = None,
    rate: Rate = None,
    per_s: PerS = None,
) -> None:
    """Register an agent."""
    from contracts.resources import NewAgent  # noqa: PLC0415 - heavy, and only needed here

    fields = {"id": agent_id, "name": name, "url": url, "protocol": protocol, "capabilities": capability or []}
    more = {
        "deterministic": bool(deterministic),
        "headers": _parse_headers(header),
        "policy": parse_policy(policy, None),
    }
    agent = validate_model(NewAgent, fields | more, "the agent")
    async with cli.jobstore() as jobstore:
        created = await jobstore.create_agent(agent)
        await _set_limit(jobstore, created.id, concurrency, rate, per_s)
    cli.out.show_agent(created)


async def _set_limit(
    jobstore: AsyncClient, agent_id: str, concurrency: int | None, rate: int | None, per_s: float | None
) -> None:
    """Change what is given of an agent's limit, and leave the rest."""
    given = {"concurrency": concurrency, "rate": rate, "rate_period_s": per_s}
    given = {field: value for field, value in given.items() if value is not None}
    if given:
        from contracts.resources import LimitPatch  # noqa: PLC0415 - heavy, and only needed here

        await jobstore.set_limit(f"agent:{agent_id}", validate_model(LimitPatch, given, "the limit"))


def _parse_headers(texts: list[str] | None) -> dict[str, str]:
    """Return references by name. What is none may be a secret, and is not quoted."""
    if not all("=" in text for text in texts or ()):
        raise typer.BadParameter("is not NAME=REFERENCE", param_hint="--header")
    return {name: reference for name, _, reference in (text.partition("=") for text in texts or ())}


@command(app, "list")
async def list_(cli: Session, page_size: PageSize = 100, page_token: PageToken = "") -> None:
    """List agents by name."""
    async with cli.jobstore() as jobstore:
        page = await jobstore.list_agents(page_size=page_size, page_token=page_token)
    cli.out.show_agents(*page)


@command(app, "get")
async def get(cli: Session, agent_id: AgentId) -> None:
    """Show one agent."""
    async with cli.jobstore() as jobstore:
        cli.out.show_agent(await find_agent(jobstore, agent_id))


@command(app, "update")
async def update(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    agent_id: AgentId,
    name: Annotated[str | None, typer.Option(help="The name that people see.")] = None,
    url: Annotated[str | None, typer.Option(help="The address that it is called at.")] = None,
    protocol: Annotated[Protocol | None, typer.Option(help="How executors talk to it.")] = None,
    capability: Capability = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Whether it gets work.")] = None,
    deterministic: Deterministic = None,
    header: Header = None,
    remove_header: Annotated[
        list[str] | None, typer.Option("--remove-header", metavar="NAME", help="Send it no more. May be repeated.")
    ] = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Send it no headers any more.")] = False,
    policy: PolicyFields = None,
    concurrency: Concurrency = None,
    rate: Rate = None,
    per_s: PerS = None,
) -> None:
    """Change what is given of an agent, and nothing else; capabilities replace all that it had."""
    from contracts.resources import AgentPatch  # noqa: PLC0415 - heavy, and only needed here

    if no_headers and header:
        raise typer.BadParameter("give either this or --header", param_hint="--no-headers")
    options = {"name": name, "url": url, "protocol": protocol, "capabilities": capability, "enabled": enabled}
    headers = {**_parse_headers(header), **dict.fromkeys(remove_header or ())}
    more = {"deterministic": deterministic, "headers": headers or None, "policy": parse_policy(policy, None) or None}
    changes: dict[str, Any] = {field: value for field, value in (options | more).items() if value is not None}
    if no_headers:
        changes["headers"] = None
    patch = validate_model(AgentPatch, changes, "the agent")
    async with cli.jobstore() as jobstore:
        agent_id = await find_agent_id(jobstore, agent_id)
        await _set_limit(jobstore, agent_id, concurrency, rate, per_s)
        changed = await (jobstore.update_agent(agent_id, patch) if changes else jobstore.get_agent(agent_id))
        cli.out.show_agent(changed)


@command(app, "disable")
async def disable(cli: Session, agent_id: AgentId) -> None:
    """Disable an agent: it gets no more work."""
    async with cli.jobstore() as jobstore:
        cli.out.show_agent(await jobstore.disable_agent(await find_agent_id(jobstore, agent_id)))


@command(app, "pause")
async def pause(cli: Session, agent_id: AgentId) -> None:
    """Pause an agent: it is given nothing new until it is resumed; what it has begun goes on."""
    async with cli.jobstore() as jobstore:
        agent_id = (await find_agent(jobstore, agent_id)).id
        await jobstore.pause(f"agent:{agent_id}")
        cli.out.show_agent(await jobstore.get_agent(agent_id))


@command(app, "resume")
async def resume(cli: Session, agent_id: AgentId) -> None:
    """Resume an agent: it is given work again."""
    async with cli.jobstore() as jobstore:
        agent_id = (await find_agent(jobstore, agent_id)).id
        await jobstore.resume(f"agent:{agent_id}")
        cli.out.show_agent(await jobstore.get_agent(agent_id))
