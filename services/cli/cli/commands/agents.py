"""The group `signoff agents`."""

import json
from typing import Annotated

import typer

from cli.commands.jobs import Cursor, Limit
from cli.options import validate_model
from cli.output import to_json
from cli.session import Session, command, make_app
from contracts.status import Protocol

app = make_app("Register and change agents.")

AgentId = Annotated[str, typer.Argument(metavar="AGENT")]
Capability = Annotated[list[str] | None, typer.Option("--capability", help="May be repeated.")]
Deterministic = Annotated[
    bool | None,
    typer.Option("--deterministic/--no-deterministic", help="Its result may be reused for an identical request."),
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
async def create(  # noqa: PLR0917 - each is an option
    cli: Session,
    name: Annotated[str, typer.Option()],
    url: Annotated[str, typer.Option()],
    agent_id: Annotated[str | None, typer.Option("--id")] = None,
    protocol: Annotated[Protocol, typer.Option()] = Protocol.HTTP,
    capability: Capability = None,
    deterministic: Deterministic = None,
    header: Header = None,
) -> None:
    """Register an agent."""
    from contracts.resources import NewAgent  # noqa: PLC0415 - heavy, and only needed here

    fields = {"id": agent_id, "name": name, "url": url, "protocol": protocol, "capabilities": capability or []}
    more = {"deterministic": bool(deterministic), "headers": _parse_headers(header)}
    agent = validate_model(NewAgent, fields | more, "the agent")
    async with cli.jobstore() as jobstore:
        cli.out.show_agent(await jobstore.create_agent(agent))


def _parse_headers(texts: list[str] | None) -> dict[str, str]:
    """Return references by name. What is none may be a secret, and is not quoted."""
    if not all("=" in text for text in texts or ()):
        raise typer.BadParameter("is not NAME=REFERENCE", param_hint="--header")
    return {name: reference for name, _, reference in (text.partition("=") for text in texts or ())}


@command(app, "list")
async def list_(cli: Session, limit: Limit = 100, cursor: Cursor = "") -> None:
    """List agents by name."""
    async with cli.jobstore() as jobstore:
        page = await jobstore.list_agents(limit=limit, page_token=cursor)
    cli.out.show_agents(*page)


@command(app, "get")
async def get(cli: Session, agent_id: AgentId) -> None:
    """Show one agent."""
    async with cli.jobstore() as jobstore:
        cli.out.show_agent(await jobstore.get_agent(agent_id))


@command(app, "update")
async def update(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    agent_id: AgentId,
    name: Annotated[str | None, typer.Option()] = None,
    url: Annotated[str | None, typer.Option()] = None,
    protocol: Annotated[Protocol | None, typer.Option()] = None,
    capability: Capability = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled")] = None,
    deterministic: Deterministic = None,
    header: Header = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Send it none any more.")] = False,
) -> None:
    """Change what is given of an agent, and leave the rest; headers replace all that it had."""
    from contracts.resources import NewAgent  # noqa: PLC0415 - heavy, and only needed here

    changes = {"name": name, "url": url, "protocol": protocol, "capabilities": capability, "enabled": enabled}
    headers = _parse_headers(header) if header or no_headers else None
    more = {"deterministic": deterministic, "headers": headers}
    async with cli.jobstore() as jobstore:
        agent = json.loads(to_json(await jobstore.get_agent(agent_id)))
        agent |= {field: value for field, value in (changes | more).items() if value is not None}
        cli.out.show_agent(await jobstore.update_agent(agent_id, validate_model(NewAgent, agent, "the agent")))


@command(app, "disable")
async def disable(cli: Session, agent_id: AgentId) -> None:
    """Let an agent get no more work."""
    async with cli.jobstore() as jobstore:
        cli.out.show_agent(await jobstore.disable_agent(agent_id))


@command(app, "pause")
async def pause(cli: Session, agent_id: AgentId) -> None:
    """Let an agent be given nothing until it is resumed; what it is doing goes on."""
    async with cli.jobstore() as jobstore:
        await jobstore.get_agent(agent_id)
        await jobstore.pause(f"agent:{agent_id}")
        cli.out.show_agent(await jobstore.get_agent(agent_id))


@command(app, "resume")
async def resume(cli: Session, agent_id: AgentId) -> None:
    """Let an agent be given work again."""
    async with cli.jobstore() as jobstore:
        await jobstore.get_agent(agent_id)
        await jobstore.resume(f"agent:{agent_id}")
        cli.out.show_agent(await jobstore.get_agent(agent_id))
