"""The group `signoff traces`."""

from collections.abc import Iterator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any

import typer

from cli.commands.recovery import find_fact_keys, list_kafka, run
from cli.options import parse_past_time
from cli.session import Session, command, make_app
from signoff.values import time_text

app = make_app("Traces of jobs, as they are sent to a receiver of OpenTelemetry.")


@app.callback()
def _group() -> None: ...  # without it, Typer makes its only command the group itself


@command(app, "export")
async def export(
    cli: Session,
    job: Annotated[str | None, typer.Option("--job", metavar="ID", help="Of this job.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Those that began since, such as 2h ago: `2h`, or a time.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="URL", help="Send those that have ended there, too: http://host:4318.")
    ] = None,
    content: Annotated[
        bool, typer.Option("--content", help="With titles, criteria, messages, and judges' words.")
    ] = False,
) -> None:
    """Make the traces of a job, or of a time, from the facts in Kafka; print them, and send them if told where to.

    They have the same ids whoever makes them, so that a receiver that has one already has it once. Headers of the
    requests, such as a key, are those of OTEL_EXPORTER_OTLP_HEADERS. With keys of facts (SIGNOFF_SECRETS,
    SIGNOFF_FACT_KEYS or the endpoints file), only facts that they signed are read.
    """
    if job is None and since is None:
        raise typer.BadParameter("say which: one of these", param_hint="--job, --since")
    settings = {**list_kafka(cli), "TRACE_CONTENT": str(content)}
    settings |= {} if job is None else {"JOB": job}
    if (begin := parse_past_time(since, "--since")) is not None:
        settings["SINCE"] = time_text(begin)
    settings |= {} if to is None else {"OTLP_ENDPOINT": to}
    if (keys := find_fact_keys(cli.target)) is not None:
        settings["FACT_KEYS"] = str(keys)
    async with aclosing(run("export", settings, "jobstore.tracing")) as lines:
        async for line in lines:
            if "spans" in line and "trace_id" in line:
                cli.out.print(line, "\n".join(_draw(line)))
            elif "error" not in line:
                sent = ", and sent" if line["sent"] else ""
                more = f"; {line['unfinished']} go on" if line["unfinished"] else ""
                cli.out.print(line, f"{line['traces']} traces, {line['spans']} spans{sent}{more}")


def _draw(trace: Mapping[str, Any]) -> Iterator[str]:
    """Yield a trace as lines: a span within another one is indented, and has its begin after that of the trace."""
    spans = trace["spans"]
    begun_at, depths = datetime.fromisoformat(spans[0]["begun_at"]), dict[str, int]()
    yield f"trace {trace['trace_id']} of job {trace['job_id']}{'' if trace['ended'] else ', which goes on'}"
    for span in spans:
        depth = depths[span["span_id"]] = depths.get(span.get("parent_id", ""), 0) + 1
        begin, end = (datetime.fromisoformat(span[name]) for name in ("begun_at", "ended_at"))
        error = f"  {span['error']}" if "error" in span else ""
        after, took = (begin - begun_at).total_seconds(), (end - begin).total_seconds()
        yield f"{'  ' * depth}{span['name']}  +{after:.3f} s  {took:.3f} s{error}"
