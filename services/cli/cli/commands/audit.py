"""The group `signoff audit`."""

from typing import TYPE_CHECKING, Any, Final

from cli.options import Options, option, parse_past_time
from cli.output import format_time, to_json
from cli.parameters import PageSize, PageToken
from cli.session import Session, command, make_app, with_options
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.status import AuditOutcome

if TYPE_CHECKING:
    from signoff.identity import AuditEntry

app = make_app("Read what callers did that changes who may what, and what they were refused.")

_time: Final[dict[str, Any]] = {"metavar": "TIME", "parse": parse_past_time}
with_filter: Final = with_options(
    chosen=Options(
        option("--actor", list[str], "By this actor, such as token:eve. May be repeated: any of them.", "actors"),
        option("--action", list[str], "Of this action, such as create_token. May be repeated.", "actions"),
        option(
            "--outcome", list[AuditOutcome], "What became of it. May be repeated.", "outcomes", case_sensitive=False
        ),
        option("--tenant", list[str], "Of this tenant. May be repeated: any of them.", "tenants"),
        option("--since", str, "At this time or later: ISO 8601, or 90s, 15m, 1h, 2d ago.", **_time),
        option("--until", str, "Before this time; as --since.", **_time),
    )
)


@command(app, "list")
@with_filter
async def list_(
    cli: Session, jobstore: AsyncClient, chosen: dict[str, Any], page_size: PageSize = 100, page_token: PageToken = ""
) -> None:
    """List what callers did, and what they were refused, newest first: what is of the token's tenants."""
    entries, token = await jobstore.list_audit(filter=chosen, page_size=page_size, page_token=page_token)
    cli.out.print_page(entries, token)
    columns = ["time", "actor", "action", "outcome", "of", "tenants", "from"]
    cli.out.print_table(columns, [_make_row(each) for each in entries])
    cli.out.print_next_page_token(token)


@command(app, "export")
@with_filter
async def export(cli: Session, jobstore: AsyncClient, chosen: dict[str, Any]) -> None:
    """Print all that a filter finds, newest first, as JSON lines; the export is an entry of the audit itself."""
    async for entry in jobstore.export_audit(filter=chosen):
        cli.out.print(entry, to_json(entry))


def _make_row(entry: "AuditEntry") -> tuple[object, ...]:
    refused = entry.outcome == AuditOutcome.REFUSED
    why = ", ".join(filter(None, (entry.code, entry.reason)))
    outcome = Styled(f"{entry.outcome}: {why}" if why else entry.outcome, "red" if refused else "green")
    times = f" ({entry.count})" if entry.count > 1 else ""
    tenants = "all" if entry.all_tenants else ", ".join(entry.tenants)
    return format_time(entry.at), entry.actor, f"{entry.action}{times}", outcome, entry.name, tenants, entry.address
