"""The dashboards of Grafana, which `python -m observe.dashboards` writes for Compose and the chart.

One is of what users are promised, and one of each service. A panel answers one question; its description says what to
do.
Queries name no job or namespace of a scrape; where processes of all services show a family, the label `component`,
which each configuration of a scrape here sets, says of which it is.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, DataSourceRef

FOLDER = Path(__file__).parents[1] / "helm/signoff/files/dashboards"
TAG = "signoff"
DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH, HEIGHT = 8, 8  # of a panel; a row has 24
PER = "[$__rate_interval]"
#: Answers of gRPC that are faults of ours, or outages; all others are for the caller to mend.
FAULTS = "INTERNAL|UNKNOWN|UNAVAILABLE|DEADLINE_EXCEEDED|DATA_LOSS"


@dataclass(frozen=True)
class Question:
    """A panel: what it answers, what to do about it, its unit, and its queries by the legend of their series."""

    title: str
    todo: str
    unit: str
    queries: dict[str, str]


def quantiles(family: str, by: str = "", only: str = "") -> dict[str, str]:
    """Return queries of the median and of the 95th percentile of a histogram."""
    labels = ", ".join(filter(None, ["le", by]))
    rates = f"sum by ({labels}) (rate({family}_bucket{only}{PER}))"
    name = f"{{{{{by}}}}} " if by else ""
    return {f"{name}{said}": f"histogram_quantile({share}, {rates})" for said, share in (("half", 0.5), ("95 %", 0.95))}


def slowest(family: str, by: str) -> dict[str, str]:
    """Return a query of the 95th percentile of a histogram by a label."""
    return {f"{{{{{by}}}}}": f"histogram_quantile(0.95, sum by (le, {by}) (rate({family}_bucket{PER})))"}


def share(part: str, whole: str) -> str:
    """Return the share that a counter has in another; 0 where none of the part was counted yet."""
    return f"(sum(rate({part}{PER})) or vector(0)) / sum(rate({whole}{PER}))"


def make_processes(component: str) -> list[Question]:
    """Return what is asked about the processes of each service."""
    of = f'{{component="{component}"}}'
    return [
        Question(
            "Does the process get its CPU?",
            "By how much the event loop is late. Often beyond 0.25 s: give it more CPU, or run more processes.",
            "s",
            quantiles("signoff_loop_delay_seconds", only=of),
        ),
        Question(
            "How much CPU do they use?",
            "Cores of each process; one process uses one core at most. Near 1: run more processes.",
            "short",
            {"{{instance}}": f"rate(process_cpu_seconds_total{of}{PER})"},
        ),
        Question(
            "How much memory do they use?",
            "Of each process. Near its limit: run more processes, or raise the limit.",
            "bytes",
            {"{{instance}}": f"process_resident_memory_bytes{of}"},
        ),
        Question(
            "Is a part away for them?",
            "How many wait for a part that is out of reach, by the part. The remedy is at the part: signoff doctor.",
            "short",
            {"{{on}}": f"sum by (on) (signoff_waiting{of})"},
        ),
    ]


PROMISES = [
    Question(
        "How long until a job begins?",
        "From when an execution could begin until an executor began it. If it grows, the panel of what waits says why, "
        "and signoff explain says it of one job.",
        "s",
        quantiles("signoff_execution_wait_seconds"),
    ),
    Question(
        "How long until it has ended, with its verdict?",
        "From when an execution could begin until its end. Beginning, agent and judging are its parts: see which of "
        "them grew, here and on the dashboards of executors and validators.",
        "s",
        quantiles("signoff_execution_seconds"),
    ),
    Question(
        "Which share of results gets its verdict?",
        "1 is all. What is missing was not judged, since a judge failed: signoff judge test, then the dashboard of "
        "validators.",
        "percentunit",
        {"verdicts given": share('signoff_verdicts_total{outcome!="unjudged"}', "signoff_verdicts_total")},
    ),
    Question(
        "How do executions end?",
        "A minute, by the status of the job then. Many failed: the dashboard of executors has their codes. Many "
        "rejected: read verdicts (docs/judging.md).",
        "short",
        {"{{status}}": f"60 * sum by (status) (rate(signoff_executions_ended_total{PER}))"},
    ),
    Question(
        "Which share of requests fails?",
        "By a fault of ours, or an outage behind the door. The log of the jobstore or the console has a line of each.",
        "percentunit",
        {
            "gRPC": share(f'signoff_grpc_requests_total{{code=~"{FAULTS}"}}', "signoff_grpc_requests_total"),
            "REST": share('signoff_http_requests_total{status=~"5.."}', "signoff_http_requests_total"),
        },
    ),
    Question(
        "How long does an answer take?",
        "95 of 100 requests are faster. Compare with a usual day; which method or route it is, the dashboards of "
        "jobstore and console say.",
        "s",
        {
            "gRPC": f"histogram_quantile(0.95, sum by (le) (rate(signoff_grpc_request_duration_seconds_bucket{PER})))",
            "REST": f"histogram_quantile(0.95, sum by (le) (rate(signoff_http_request_duration_seconds_bucket{PER})))",
        },
    ),
    Question(
        "What do executions wait for, and who can end it?",
        "By reason and owner. Where the owner is operator, the remedy is yours: signoff explain JOB names it.",
        "short",
        {"{{reason}} ({{owner}})": "sum by (reason, owner) (signoff_executions_waiting)"},
    ),
    Question(
        "Since when has the oldest been waiting?",
        "The first is of all that never began, the second of those that nothing but their turn holds back: beyond 15 s "
        "run signoff doctor.",
        "s",
        {
            "could have begun": "max(signoff_queue_oldest_seconds)",
            "only its turn": "max(signoff_queue_turn_oldest_seconds)",
        },
    ),
    Question(
        "What does it cost?",
        "US dollars an hour, of agents and judges together, as they claim and prices say. signoff limits set bounds it "
        "by tenant.",
        "currencyUSD",
        {"an hour": "sum(increase(signoff_cost_usd_total[1h]))"},
    ),
    Question(
        "Which alerts fire?",
        "docs/runbook.md has an entry for each: what it means, how to look, what to do, and what not to do.",
        "short",
        {"{{alertname}}": 'count by (alertname) (ALERTS{alertstate="firing"})'},
    ),
    Question(
        "Who is there?",
        "Processes that were heard of lately, by kind. None of a kind: start some.",
        "short",
        {"{{kind}}": "sum by (kind) (signoff_processes)"},
    ),
    Question(
        "Which versions run?",
        "Processes by version. Two of them for longer than an upgrade takes: docs/operations/upgrading.md.",
        "short",
        {"{{version}}": "count by (version) (signoff_build_info)"},
    ),
]

JOBSTORE = [
    Question(
        "What is it asked?",
        "Calls of gRPC a second by method. Many of one: some client asks again and again, where it could watch.",
        "reqps",
        {"{{method}}": f"sum by (method) (rate(signoff_grpc_requests_total{PER}))"},
    ),
    Question(
        "Which calls are slow?",
        "95 of 100 calls of the method are faster. Where all are slow, the process lacks CPU or the database is slow: "
        "signoff doctor.",
        "s",
        slowest("signoff_grpc_request_duration_seconds", "method"),
    ),
    Question(
        "Which calls fail?",
        "A second, by status. INTERNAL is a fault of ours, UNAVAILABLE an outage, and the log has a line of each; "
        "RESOURCE_EXHAUSTED: a client reached its limit (docs/operations.md).",
        "reqps",
        {"{{code}}": f'sum by (code) (rate(signoff_grpc_requests_total{{code!="OK"}}{PER}))'},
    ),
    Question(
        "How near are clients to their limits?",
        "Calls and watches under way. Near a limit they are refused: docs/operations.md, What clients may take.",
        "short",
        {"{{kind}}": "sum by (kind) (signoff_grpc_requests_under_way)"},
    ),
    Question(
        "What does it decide?",
        "Reports and requests a second, recorded or refused by code. Many lapsed: workers are killed, frozen or "
        "overloaded.",
        "ops",
        {"{{kind}} {{outcome}}": f"sum by (kind, outcome) (rate(signoff_decisions_total{PER}))"},
    ),
    Question(
        "Are facts published?",
        "Age of the oldest that is not. Beyond 30 s Kafka is away or slow: signoff doctor.",
        "s",
        {"age": "max(signoff_facts_unpublished_oldest_seconds)"},
    ),
    Question(
        "Do groups fall behind?",
        "Records that a group has not read. If that grows for long: more processes of the kind, or more partitions "
        "(docs/operations/kafka.md).",
        "short",
        {"{{group}}": "max by (group) (signoff_group_unread)"},
    ),
    Question(
        "Do groups move?",
        "Records a second that a group reads. With unread records and no pace nothing reads: restart its processes.",
        "cps",
        {"{{group}}": f"max by (group) (rate(signoff_group_position{PER}))"},
    ),
    Question(
        "Is a partition stuck, or read by strangers?",
        "Neither should be above 0: signoff doctor names them.",
        "short",
        {
            "{{group}}: stalled": "max by (group) (signoff_group_stalled_partitions)",
            "{{group}}: strangers": "max by (group) (signoff_group_strangers)",
        },
    ),
    Question(
        "Which records were given up?",
        "Dead letters that nobody has redriven or discarded, by topic: signoff dlq list.",
        "short",
        {"{{topic}}": "max by (topic) (signoff_dead_letters_open)"},
    ),
    Question(
        "Can the database be written?",
        "1 while it cannot, by the reason, which has its remedy in docs/operations.md.",
        "short",
        {"{{code}}": "max by (code) (signoff_database_outage)"},
    ),
    Question(
        "How full are disks?",
        "Near 1 no new work is taken: free space, or keep less (docs/operations.md, When a disk fills).",
        "percentunit",
        {"{{storage}}": "max by (storage) (signoff_storage_used_bytes / signoff_storage_total_bytes)"},
    ),
    Question(
        "Is the clock of a process wrong?",
        "The most by which one differs from the database's. Beyond 5 s synchronise the clocks.",
        "s",
        {"{{kind}}": "max by (kind) (signoff_process_clock_difference_seconds)"},
    ),
    Question(
        "How old is the newest backup?",
        "Of Compose's production. More than a day and an hour, or a failed attempt: the log of the service backup.",
        "s",
        {"age": "time() - max(signoff_backup_made_seconds)", "the last attempt failed": "max(signoff_backup_failed)"},
    ),
    *make_processes("jobstore"),
]

EXECUTOR = [
    Question(
        "Is there room for more executions?",
        "Leases held, and for how many more there is room. None: run more executors, or raise SIGNOFF_CAPACITY.",
        "short",
        {
            "held": 'sum(signoff_in_flight{component="executor"})',
            "room": 'sum(signoff_process_room{kind="executor"})',
        },
    ),
    Question(
        "How long do agents take?",
        "A call of an agent. Which agent it is, signoff agents stats says.",
        "s",
        quantiles("signoff_agent_call_seconds"),
    ),
    Question(
        "Why do executions fail?",
        "A minute, by the code in the log: docs/agents.md has what each means.",
        "short",
        {"{{code}}": f"60 * sum by (code) (rate(signoff_executions_failed_total{PER}))"},
    ),
    Question(
        "How much is tried again?",
        "A minute: calls and attempts that failed, and leases that were lost. Many lapsed: executors are killed, "
        "frozen or overloaded.",
        "short",
        {
            "{{kind}}": "60 * sum by (kind) (rate("
            f'signoff_decisions_total{{kind=~"call_failed|attempt_failed|lapsed",outcome="recorded"}}{PER}))'
        },
    ),
    Question(
        "Do circuits of agents open?",
        "Changes in an hour. While one is open its agent is not called: mend the agent (docs/operations.md, When jobs "
        "wait).",
        "short",
        {"{{circuit}}": "sum by (circuit) (increase(signoff_circuit_changes_total[1h]))"},
    ),
    Question(
        "Are outcomes recorded?",
        "Outcomes that were reported and are not known to be recorded. If that grows, jobstores do not keep up, or "
        "Kafka is away: the dashboard of the jobstore.",
        "short",
        {"outcomes": 'sum(signoff_outcomes_awaited{component="executor"})'},
    ),
    *make_processes("executor"),
]

VALIDATOR = [
    Question(
        "Is there room for more judgings?",
        "Leases held, and for how many more there is room. None: run more validators.",
        "short",
        {
            "held": 'sum(signoff_in_flight{component="validator"})',
            "room": 'sum(signoff_process_room{kind="validator"})',
        },
    ),
    Question(
        "How long does judging take?",
        "Of a result, with all that its judge is asked. If it grows: does its server answer later, or do questions "
        "wait?",
        "s",
        quantiles("signoff_judging_seconds"),
    ),
    Question(
        "How long does a judge's server take?",
        "Until it answers, also with an error: docs/operations/judges.md, Slow and weak models.",
        "s",
        quantiles("signoff_judge_request_seconds"),
    ),
    Question(
        "How are results judged?",
        "Verdicts a minute. unjudged: a judge failed, signoff judge test says why.",
        "short",
        {"{{outcome}}": f"60 * sum by (outcome) (rate(signoff_verdicts_total{PER}))"},
    ),
    Question(
        "Does a judge's server hold us back?",
        "Questions that wait for the pace that it takes, and how many it takes at once. Many wait: a higher limit at "
        "the server, another key or model.",
        "short",
        {
            "{{server}}: waiting": "sum by (server) (signoff_judge_waiting)",
            "{{server}}: at once": "sum by (server) (signoff_judge_window)",
        },
    ),
    Question(
        "Which questions get no answer?",
        "A minute: refused for the rate, or left unanswered. Unanswered: the server is away or hangs, signoff judge "
        "test.",
        "short",
        {
            "{{server}}: refused": f"60 * sum by (server) (rate(signoff_judge_refusals_total{PER}))",
            "{{server}}: unanswered": f"60 * sum by (server) (rate(signoff_judge_unanswered_total{PER}))",
        },
    ),
    Question(
        "Are outcomes recorded?",
        "Outcomes that were reported and are not known to be recorded. If that grows, jobstores do not keep up, or "
        "Kafka is away: the dashboard of the jobstore.",
        "short",
        {"outcomes": 'sum(signoff_outcomes_awaited{component="validator"})'},
    ),
    Question(
        "How many tokens are used?",
        "A minute, of agents and judges together. signoff limits set bounds what a tenant may use.",
        "short",
        {"tokens": f"60 * sum(rate(signoff_tokens_total{PER}))"},
    ),
    *make_processes("validator"),
]

CONSOLE = [
    Question(
        "What is it asked?",
        "Requests a second by route. Many of one: some client asks again and again, where it could follow events.",
        "reqps",
        {"{{method}} {{route}}": f"sum by (method, route) (rate(signoff_http_requests_total{PER}))"},
    ),
    Question(
        "Which routes are slow?",
        "95 of 100 requests of the route are faster. It makes calls of gRPC: see those of the jobstore first.",
        "s",
        slowest("signoff_http_request_duration_seconds", "route"),
    ),
    Question(
        "Which answers are errors?",
        "A second by status. 5xx: its log has a line of each, 503 is an outage behind it. 401 and 403: somebody lacks "
        "a right.",
        "reqps",
        {"{{status}}": f'sum by (status) (rate(signoff_http_requests_total{{status=~"[45].."}}{PER}))'},
    ),
    Question(
        "How near is it to its limits?",
        "Open connections and event streams. Near SIGNOFF_CONNECTIONS_MAX or SIGNOFF_VIEWERS_MAX further ones are "
        "refused.",
        "short",
        {"connections": "sum(signoff_http_connections)", "event streams": "sum(signoff_http_viewers)"},
    ),
    Question(
        "What does the proxy answer?",
        "Of Compose's production: requests a second at Caddy by status. 502: no console is ready.",
        "reqps",
        {"{{code}}": f"sum by (code) (rate(caddy_http_request_duration_seconds_count{PER}))"},
    ),
    *make_processes("console"),
]

#: By the name of its file: its title, and what it asks.
BOARDS: dict[str, tuple[str, Sequence[Question]]] = {
    "promises": ("Signoff: what users are promised", PROMISES),
    "jobstore": ("Signoff: jobstore", JOBSTORE),
    "executor": ("Signoff: executors", EXECUTOR),
    "validator": ("Signoff: validators", VALIDATOR),
    "console": ("Signoff: console", CONSOLE),
}


def render(name: str) -> str:
    """Return a dashboard as JSON, as its file has it."""
    title, questions = BOARDS[name]
    board = (
        dashboard.Dashboard(title)
        .uid(f"signoff-{name}")
        .tags([TAG])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-1h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(dashboard.DashboardLink("Signoff").type(DashboardLinkType.DASHBOARDS).tags([TAG]).keep_time(True))
    )
    for number, question in enumerate(questions, 1):
        board.with_panel(_make_panel(number, question))
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _make_panel(number: int, question: Question) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .id(number)
        .title(question.title)
        .description(question.todo)
        .unit(question.unit)
        .min(0)
        .span(WIDTH)
        .height(HEIGHT)
        .datasource(DATASOURCE)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for at, (legend, expression) in enumerate(question.queries.items()):
        # Exemplars lead from a time to an execution and its trace; they are there for holders of the token of metrics.
        query = prometheus.Dataquery().ref_id(chr(ord("A") + at)).expr(expression).legend_format(legend).range()
        panel.with_target(query.exemplar("_bucket" in expression).datasource(DATASOURCE))
    return panel


def main() -> None:
    """Write all dashboards to where Compose and the chart have them from."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(render(name), encoding="utf-8")


if __name__ == "__main__":
    main()
