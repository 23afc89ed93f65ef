"""The command `signoff workers`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.output import Output, format_seconds
from cli.session import Session, command, make_app
from cli.terminal import Styled
from signoff import AsyncClient

if TYPE_CHECKING:
    from signoff.types import Worker

app = make_app()


@command(app, "workers")
async def workers(cli: Session, jobstore: AsyncClient) -> None:
    """Show who serves what: version, room, when each was last heard of, and what is wrong with whom."""
    show_workers(cli.out, await jobstore.get_workers())


def show_workers(out: Output, found: "Sequence[Worker]") -> None:
    """Print workers: as JSON with --json, else as a list, and below it what is wrong with whom, and what to do."""
    out.print_json({"workers": found})
    if not found:
        out.print_line("none has reported: `signoff doctor` says what runs")
        return
    columns = ["id", "kind", "version", "serves", "room", "last heard of", "state"]
    out.print_list(columns, [_make_row(each) for each in found], spared=["version", "serves"])
    for each in found:
        if each.code:
            out.print_line()
            out.print_line(Styled(f"{each.kind} {each.id}: {each.message or each.code}", "bold"))
            out.print_line(f"    {each.remedy or ''}")


def _make_row(worker: "Worker") -> Sequence[object]:
    serves = [*worker.protocols, *([f"default@{worker.judge}"] if worker.judge else []), *worker.keys]
    if worker.partitions is not None:
        serves.append(f"{worker.partitions} partitions")
    bound = f" ({worker.bound})" if worker.bound else ""
    room = f"{worker.room} of {worker.capacity}{bound}" if worker.capacity else ""
    state = "ends" if worker.ends else "well"
    return (
        worker.id,
        worker.kind,
        worker.version,
        ", ".join(serves),
        room,
        f"{format_seconds(worker.silent_s)} ago",
        Styled(worker.code, "red") if worker.code else state,
    )
