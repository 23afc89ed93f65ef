"""The command `signoff doctor`: it checks whether each part is there and as it must be. A check never raises.

All parts are asked concurrently, each for PART_TIMEOUT_S at most: the answer comes within ten seconds even if parts are
away.
"""

import asyncio
import json
import os
import shutil
import stat
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from cli.commands.checks import SHOWN_MAX, TIMEOUT_S, Check, check_kept, check_space, check_storage, describe_error
from cli.commands.kafka_checks import check_kafka
from cli.session import Session, Target, command, connect, make_app, succeed_if
from cli.terminal import Styled
from contracts.agents import has_userinfo, hide_userinfo
from contracts.waiting import CONFIRM_LIMITS
from servicekit.errors import DATABASE_OUTAGES
from servicekit.process.runtime import VERSION
from signoff import UNREACHABLE, AsyncClient, SignoffError
from signoff.connection import list_all
from signoff.errors import ErrorCode
from signoff.types import Agent
from signoff.v1 import operations_service_pb2 as pb

if TYPE_CHECKING:
    from localstack.process import LastWords
    from signoff.judging import Validator

app = make_app()


@command(app, "doctor")
async def doctor(cli: Session) -> None:
    """Check every part, and say what is wrong and what to do; succeed if nothing is, warnings aside."""
    checks = await check_all(cli.target)
    is_well = all(check.ok for check in checks)
    cli.out.print_json({"ok": is_well, "checks": [vars(check) for check in checks]})
    for check in checks:
        mark = Styled("ok     ", "green") if check.ok else Styled("WRONG  ", "red")
        if check.ok and check.remedy:
            mark = Styled("warns  ", "yellow")
        cli.out.print_line(mark, f"{check.part}: {check.found}")
        if check.remedy:
            cli.out.print_line(f"         {check.remedy}")
    warned = sum(check.ok and bool(check.remedy) for check in checks)
    failed = sum(not check.ok for check in checks)
    summary = "all is well" if is_well else f"{failed} of {len(checks)} checks failed"
    cli.out.print_line(summary + (f"; warnings: {warned}" if warned else ""))
    succeed_if(is_well)


PART_TIMEOUT_S: Final = 7.5  # of all questions to a part
POLL_S: Final = 0.3
#: A worker that is silent for longer is gone, and not mentioned any more while others are heard of.
FORGOTTEN_S: Final = 600.0
#: A clock that differs by more is wrong, and not only asked slowly.
SKEW_MAX_S: Final = 5.0
#: What is published, or begins, by itself is so within less.
UNPUBLISHED_MAX_S: Final = 30.0
TURN_MAX_S: Final = 15.0
#: A process that ended by an error so long ago, and is not ready, ends again and again by it.
ENDED_LATELY_S: Final = 60.0
SIGNED = "signed: who asks or cancels by a topic needs a secret (SIGNOFF_UPSTREAM_SECRETS)"
OPEN = "open: whoever can write to execute-requested and cancel-requested may ask for any job and cancel any execution"
BIND = (
    "that is in the name of each tenant, and there are several: give each upstream a secret of its own tenants, "
    "SIGNOFF_UPSTREAM_SECRETS=<id>@<tenant>:<base64> (docs/operations.md#to-let-upstreams-sign)"
)
#: What bounds how many leases a worker holds at once, by the words of its report.
BOUNDS: Final = {
    "memory": "their memory (SIGNOFF_WORK_MAX_BYTES)",
    "files": "the files that they may open (ulimit -n)",
    "setting": "SIGNOFF_CAPACITY",
}


async def check_all(target: Target) -> list[Check]:
    """Run all checks, and return their findings; a part that is not checked within PART_TIMEOUT_S is a finding, too."""
    parts: dict[str, Callable[[Target], Awaitable[list[Check]]]] = {
        "processes": check_processes,
        "console": check_http,
        "jobstore": check_jobstores,
        "kafka": check_kafka,
        "judge": check_judge,
    }
    results = await asyncio.gather(*(_check_in_time(name, check, target) for name, check in parts.items()))
    here = [check_endpoints(target)]
    if target.data_dir is not None and target.data_dir.exists():  # of other disks, brokers report the free space
        here.append(check_space("disk", shutil.disk_usage(target.data_dir).free, str(target.data_dir)))
    return [*here, *(check for checks in results for check in checks)]


async def _check_in_time(part: str, check: Callable[[Target], Awaitable[list[Check]]], target: Target) -> list[Check]:
    try:
        async with asyncio.timeout(PART_TIMEOUT_S):
            return await check(target)
    except TimeoutError:
        return [Check(part, False, f"was not checked within {PART_TIMEOUT_S:g} s", "look at its log, and ask again")]


def check_endpoints(target: Target) -> Check:
    """Check whether the system's addresses are known, and whether their file is private, since it holds a token."""
    if target.file is not None:
        if target.file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return Check("endpoints", False, f"others may read {target.file}, which holds a token", "chmod 600 it")
        return Check("endpoints", True, str(target.file))
    if target.jobstore:
        return Check("endpoints", True, "from options and environment")
    return Check("endpoints", False, "there is no endpoints file", "run `signoff up`, or give --endpoints FILE")


async def check_processes(target: Target) -> list[Check]:
    """Check whether each process of a local stack runs, and whether each service among them is ready."""
    return list(await asyncio.gather(*(_check_process(target, name, pid) for name, pid in target.processes.items())))


async def _check_process(target: Target, name: str, pid: int) -> Check:
    part = f"process {name}"
    match _read_state(pid):
        case "gone":
            remedy = f"the supervisor of `signoff up` starts it again; if it stays away, see {_name_log(target, name)}"
            return Check(part, False, f"pid {pid} is gone{_describe_last_words(target, name)}", remedy)
        case "stopped":
            return Check(part, False, f"pid {pid} is stopped (SIGSTOP), and does nothing", f"kill -CONT {pid}")
    return Check(part, True, f"pid {pid}") if name not in target.metrics else await _check_ready(target, name, pid)


async def _check_ready(target: Target, name: str, pid: int) -> Check:
    """Check whether the service `name`, whose process `pid` runs, answers at /readyz that it is ready."""
    part, log, why = f"process {name}", _name_log(target, name), _describe_last_words(target, name)
    try:
        status, body, _ = await _get(urljoin(target.metrics[name], "/readyz"))
    except TimeoutError:
        remedy = f"it hangs, or its machine is overloaded: end it (kill {pid}), and it is started again; {log}"
        return Check(part, False, f"pid {pid} runs, and answers nothing within {TIMEOUT_S:g} s", remedy)
    except (aiohttp.ClientError, OSError, ValueError):
        return Check(part, False, f"pid {pid} does not serve yet{why}", f"if that lasts, see {log}")
    if status == 200 and (reason := _read_advice(body).get("receiver")):  # noqa: PLR2004 - OK
        remedy = "start the receiver of traces, or correct SIGNOFF_OTLP_ENDPOINT; nothing else waits, and none is lost"
        return Check(part, False, f"pid {pid} runs, and its receiver {reason}", remedy)
    if status == 200:  # noqa: PLR2004 - OK
        return Check(part, True, f"pid {pid}, metrics at {target.metrics[name]}")
    return Check(part, False, f"pid {pid} is not ready: {_join_reasons(body)}{why}", log)


def _read_advice(body: str) -> dict[str, str]:
    try:
        return dict(json.loads(body)["advice"])
    except (ValueError, KeyError, TypeError):  # of another version
        return {}


def _join_reasons(body: str) -> str:
    try:
        return "; ".join(f"{name}: {reason}" for name, reason in json.loads(body)["reasons"].items())
    except (ValueError, KeyError, AttributeError, TypeError):
        return body


def _name_log(target: Target, name: str) -> str:
    return f"its log: {_find_log(target, name) or 'in logs/ of the data directory'}"


def _describe_last_words(target: Target, name: str) -> str:
    return f"; it ended by {words}" if (words := _read_last_words(target, name)) else ""


def _find_log(target: Target, name: str) -> Path | None:
    return None if target.data_dir is None else target.data_dir / "logs" / f"{name}.log"


def _read_last_words(target: Target, name: str) -> "LastWords | None":
    """Return why the local process `name` ended, if its log ends with that and is not older than ENDED_LATELY_S."""
    if (log := _find_log(target, name)) is None:
        return None
    from localstack.process import read_last_words  # noqa: PLC0415 - there is none but with a local stack

    words = read_last_words(log)
    return words if words and (datetime.now(UTC) - words.at).total_seconds() < ENDED_LATELY_S else None


def _read_state(pid: int) -> str:
    """Return `gone`, `stopped` or `running` for a process; without /proc, as on macOS, a stopped one is `running`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "running"
    return {"T": "stopped", "t": "stopped", "Z": "gone", "X": "gone"}.get(state, "running")


async def check_http(target: Target) -> list[Check]:
    """Check whether the console answers, reaches the jobstore, and has this command's version and a right clock."""
    if target.http is None:
        return []
    part = "console"
    try:
        status, body, headers = await _get(f"{target.http.rstrip('/')}/api/health")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return [
            Check(part, False, f"{target.http}: {describe_error(error)}", "is it running, and is this its address?")
        ]
    try:
        health: dict[str, Any] = json.loads(body)
    except ValueError:
        return [Check(part, False, f"{target.http} is no console", "correct its address: --http")]
    version, skew = _check_versions([("console", str(health.get("version") or ""))]), _find_http_skew(headers)
    beside = [check for check in (*version, *_check_clocks([("console", skew)])) if not check.ok]
    if status == 200:  # noqa: PLR2004 - OK
        return [Check(part, True, target.http), *beside]
    reason = health.get("database") or "it does not reach the jobstore"
    return [Check(part, False, f"{target.http}: {reason}", "the console runs; look at the jobstore"), *beside]


def _find_http_skew(headers: Any) -> float | None:
    """Return the seconds by which a server's clock is ahead of ours, by its header Date; None without a valid Date."""
    try:
        return (parsedate_to_datetime(headers["Date"]) - datetime.now(UTC)).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None


async def check_jobstores(target: Target) -> list[Check]:
    """Check whether each jobstore answers, and check the other parts by what one of the jobstores reports of them."""
    if target.jobstore is None:
        return [Check("jobstore", False, "no address is known", "run `signoff up`, or give --jobstore host:port")]
    addresses = [each.strip() for each in target.jobstore.split(",") if each.strip()]
    outages = await asyncio.gather(*(_find_outage(target, each) for each in addresses))
    served = [check for check, _ in outages]
    codes = [code for check, code in outages if check.ok]
    if not codes:
        return served
    async with connect(target, timeout_s=TIMEOUT_S) as jobstore:
        return [*served, *await _question(jobstore, None if None in codes else codes[0])]


async def _find_outage(target: Target, address: str) -> tuple[Check, str | None]:
    """Return a check of whether a jobstore answers, and the code of its or its database's outage; None if none."""
    async with AsyncClient(address, timeout_s=TIMEOUT_S, credentials=target.tls) as jobstore:
        code = await jobstore.find_outage()
        distrust = await _find_distrust(jobstore) if code == UNREACHABLE else None
    if distrust is not None:
        return Check("jobstore", False, f"{address} is not trusted, or does not trust this command", distrust), code
    if code is None or code in DATABASE_OUTAGES:
        return Check("jobstore", True, address), code
    if words := _read_last_words(target, "jobstore"):
        remedy = f"do what it says; its log: {_find_log(target, 'jobstore')}"
        return Check("jobstore", False, f"{address} ended by {words}", remedy), code
    if (await _check_listening("jobstore", f"tcp://{address}", "")).ok:
        found = f"{address} takes connections, and answers nothing within {TIMEOUT_S:g} s"
        remedy = "it is frozen or overloaded, or stops, or this is not its address: look at its process and its log"
        return Check("jobstore", False, found, remedy), code
    remedy = (
        "start it, or correct its address; its log says why it ended. At its start it does not serve until it has "
        "reached PostgreSQL"
    )
    return Check("jobstore", False, f"nothing listens at {address}", remedy), code


async def _find_distrust(jobstore: AsyncClient) -> str | None:
    """Return what to do where a jobstore cannot be reached for want of trust; None if that is not why."""
    try:
        await jobstore.get_sign_in()
    except SignoffError as error:
        return error.message if error.code == ErrorCode.TLS_REFUSED or "SIGNOFF_JOBSTORE_CA" in error.message else None
    return None


async def _question(jobstore: AsyncClient, outage: str | None) -> list[Check]:
    """Check all parts by a serving jobstore's answers, of which some are missing in an `outage` of its database."""
    asked_at = time.time()
    agents, overview, policies, diagnosis, kept = await asyncio.gather(
        list_all(jobstore.iter_agents()),
        jobstore.get_overview(),
        jobstore.list_judge_policies(page_size=1),
        jobstore.diagnose(),
        jobstore.get_kept(),
        return_exceptions=True,
    )
    answers = (agents, overview, policies, diagnosis, kept)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, SignoffError):
            raise answer
    errors = [answer for answer in answers if isinstance(answer, SignoffError)]
    if kept in errors and kept.code == ErrorCode.UNIMPLEMENTED:
        errors.remove(kept)  # an older jobstore: it removes nothing
    refused = [error for error in errors if error.code in {ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN}]
    if refused:
        remedy = "give one of all tenants: by `signoff login`, --token-file or SIGNOFF_TOKEN"
        return [Check("token", False, refused[0].message, remedy)]
    if all(answer in errors for answer in answers[:-1]):  # what is kept may be known from before
        return [_check_database(outage) if outage else await _find_silence(jobstore, errors[0])]
    checks = [_check_database(outage), Check("token", True, "accepted")]
    if outage is None:
        checks += [Check("jobstore's answers", False, error.message, "ask again, and see its log") for error in errors]
    readers: list[tuple[Any, Callable[[Any], list[Check]]]] = [
        (diagnosis, lambda answer: _check_diagnosis(answer, asked_at)),
        (overview, lambda answer: _check_overview(answer, None if diagnosis in errors else diagnosis)),
        (policies, lambda answer: _check_validators(answer.validators)),
        *([] if isinstance(kept, SignoffError) else [(kept, check_kept)]),
    ]
    checks += [check for answer, read in readers if answer not in errors for check in read(answer)]
    return checks if isinstance(agents, BaseException) else [*checks, *await _check_agents(agents)]


async def _find_silence(jobstore: AsyncClient, error: SignoffError) -> Check:
    """Return a failed check that says why a serving jobstore answers nothing: its database's outage, or `error`."""
    for _ in range(int((PART_TIMEOUT_S - TIMEOUT_S) / POLL_S) - 2):
        if (code := await jobstore.find_outage()) in DATABASE_OUTAGES:
            return _check_database(code)
        if code == UNREACHABLE:
            break
        await asyncio.sleep(POLL_S)
    remedy = "its database is slow, or it is overloaded: see its log, and signoff_waiting of its metrics"
    return Check("jobstore's answers", False, f"no question is answered: {error.message}", remedy)


def _check_database(code: str | None) -> Check:
    if code is None:
        return Check("database", True, "can be written")
    outage = DATABASE_OUTAGES[code]
    return Check("database", False, str(outage), outage.remedy)


def _check_diagnosis(diagnosis: pb.DiagnoseResponse, asked_at: float) -> list[Check]:
    heard = [each for each in diagnosis.processes if each.silent_s <= diagnosis.alive_s and not each.ends]
    named = [(f"{each.kind} {_shorten(each.id)}", each) for each in heard]
    ours = (asked_at + time.time()) / 2 - diagnosis.at.ToDatetime(UTC).timestamp()
    ahead = [(name, each.clock_ahead_s if each.HasField("clock_ahead_s") else None) for name, each in named]
    return [
        *(_check_workers(kind, diagnosis) for kind in ("executor", "validator")),
        *_check_versions([(name, each.version) for name, each in named]),
        *_check_clocks([*ahead, ("this machine", ours)]),
        _check_limits(diagnosis),
        _check_role(diagnosis),
        _check_facts(diagnosis),
        *map(check_storage, diagnosis.storages),
        *_check_groups(diagnosis),
    ]


def _check_workers(kind: str, diagnosis: pb.DiagnoseResponse) -> Check:
    part = f"{kind}s"
    known = [each for each in diagnosis.processes if each.kind == kind and not each.ends]
    heard = [each for each in known if each.silent_s <= diagnosis.alive_s]
    silent = [each for each in known if diagnosis.alive_s < each.silent_s <= FORGOTTEN_S]
    names = ", ".join(f"{_shorten(each.id)} {each.silent_s:.0f} s ago" for each in silent)
    if not heard:
        found = f"none is heard of; last heard of: {names}" if names else "none is heard of"
        remedy = (
            f"start one, or see whether it is frozen or does not reach the jobstore; until then work waits for {kind}s"
        )
        return Check(part, False, found, remedy)
    found = f"{len(heard)}, with room for {sum(each.room for each in heard)} more{_describe_bound(heard)}"
    if names:
        remedy = "if nobody has ended it, see whether it is frozen or does not reach the jobstore"
        return Check(part, True, f"{found}; no longer heard of: {names}", remedy)
    if without := sum(each.HasField("partitions") and not each.partitions for each in heard):
        remedy = "have more partitions (SIGNOFF_WORK_PARTITIONS of jobstores), or fewer of them"
        return Check(part, True, f"{found}; {without} read no partition, and are offered nothing", remedy)
    return Check(part, True, found)


def _describe_bound(workers: Sequence[pb.ProcessState]) -> str:
    """Return how many leases workers hold at most, what bounds that, and how many asks wait for a judge's pace."""
    bounds = ", ".join(dict.fromkeys(BOUNDS[each.bound] for each in workers if each.bound in BOUNDS))
    paced = sum(each.paced for each in workers)
    of = f" of {sum(each.capacity for each in workers)}, by {bounds}" if bounds else ""
    return of + (f"; {paced} asks wait for the pace that their judge's server takes" if paced else "")


def _check_versions(processes: Iterable[tuple[str, str]]) -> list[Check]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, version in processes:
        found[version or "unknown"].append(name)
    foreign = {version: names for version, names in found.items() if version != VERSION}
    if not foreign:
        return [Check("versions", True, VERSION)]
    others = "; ".join(f"{version}: {', '.join(names)}" for version, names in sorted(foreign.items()))
    remedy = "have all of one version: replace one process after the other (docs/operations/upgrading.md)"
    return [Check("versions", False, f"this command is {VERSION}, and of {others}", remedy)]


def _check_clocks(clocks: Iterable[tuple[str, float | None]]) -> list[Check]:
    wrong = [(name, ahead) for name, ahead in clocks if ahead is not None and abs(ahead) > SKEW_MAX_S]
    if not wrong:
        return [Check("clocks", True, f"differ by less than {SKEW_MAX_S:g} s")]
    words = ", ".join(f"{name} is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}" for name, ahead in wrong)
    remedy = "synchronise the clocks (NTP); no lease depends on them, and what people read does"
    return [Check("clocks", False, f"by the database's clock {words}", remedy)]


def _check_limits(diagnosis: pb.DiagnoseResponse) -> Check:
    if not diagnosis.are_limits_lost:
        return Check("limits", True, "as administrators set them")
    found = "nothing is offered, since a rebuild did not find what administrators had set (`limits_lost`)"
    return Check("limits", False, found, f"{CONFIRM_LIMITS} (docs/operations/backup.md)")


def _check_role(diagnosis: pb.DiagnoseResponse) -> Check:
    if not diagnosis.is_superuser:
        return Check("database role", True, "of the jobstore, which is no superuser")
    found = "the jobstore is a superuser of its database, and could change its log and its audit"
    remedy = (
        "give it a role that owns nothing, and SIGNOFF_MIGRATE_DATABASE_URL one that owns the tables "
        "(docs/operations.md#who-owns-the-tables)"
    )
    return Check("database role", True, found, remedy)


def _check_facts(diagnosis: pb.DiagnoseResponse) -> Check:
    count, age_s = diagnosis.unpublished, diagnosis.unpublished_s
    if age_s <= UNPUBLISHED_MAX_S:
        return Check("facts", True, "published" if not count else f"{count} are about to be published")
    remedy = (
        "is Kafka there? Else the jobstore's log says why it publishes none (`wrong_secrets`), or a transaction of "
        "others is open in the database (docs/operations.md#when-watches-stand-still-and-facts-go-on)"
    )
    return Check("facts", False, f"{count} are not published, the oldest of {age_s:.0f} s ago", remedy)


def _check_groups(diagnosis: pb.DiagnoseResponse) -> list[Check]:
    if diagnosis.groups_error:
        found = f"the jobstore cannot ask Kafka how they stand: {diagnosis.groups_error}"
        return [Check("consumer groups", False, found, "is the broker running, and does the jobstore reach it?")]
    return [_check_group(group) for group in diagnosis.groups]


def _check_group(group: pb.GroupState) -> Check:
    part = f"group {group.group}"
    found = f"{group.members} members, {group.unread} records of {group.topic} to read"
    stalled = f"{group.stalled_partitions} partitions have not moved for {group.stalled_s:.0f} s"
    if group.strangers:
        names = ", ".join(
            f"{each.client} at {each.host.lstrip('/')} with {each.partitions} partitions" for each in group.strangers
        )
        found = f"{found}; a member is no process of Signoff: {names}" + (
            f"; {stalled}" if group.stalled_partitions else ""
        )
        remedy = "end it, and let no other user of the broker read this group: what has its partitions is not read"
        return Check(part, False, found, remedy)
    if group.stalled_partitions:
        remedy = "see the log of what reads it; a process that hangs is ended, and started again"
        return Check(part, False, f"{found}; {stalled} although their readers have room", remedy)
    return Check(part, True, found)


def _check_overview(overview: Any, diagnosis: Any) -> list[Check]:
    letters = {topic: count for topic, count in overview.now.dead_letters.items() if count}
    counts = ", ".join(f"{count} in {topic}" for topic, count in sorted(letters.items()))
    remedy = (
        "`signoff dlq list` says why; mend that and redrive them, or discard them (`signoff dlq`)" if letters else ""
    )
    return [
        Check("secrets", True, f"reports and facts are signed with the secret {overview.signing_secret!r}"),
        _check_upstreams(overview, diagnosis),
        Check("dead letters", True, counts or ("none" if overview.now.dead_letters else "not counted"), remedy),
        *([_check_waiting(overview.waiting, diagnosis)] if diagnosis is not None else []),
    ]


def _check_upstreams(overview: Any, diagnosis: Any) -> Check:
    if overview.upstreams_sign:
        return Check("upstreams", True, SIGNED)
    is_shared = diagnosis is not None and diagnosis.has_several_tenants
    return Check("upstreams", True, OPEN, BIND if is_shared else "")


def _check_waiting(sums: Sequence[Any], diagnosis: pb.DiagnoseResponse) -> Check:
    causes = ", ".join(f"{each.count} {' '.join(filter(None, (each.code, each.name)))}" for each in sums[:SHOWN_MAX])
    found = f"`signoff explain` says what lifts it: {causes}" if causes else "nothing waits"
    if diagnosis.unclaimed:
        found = f"{diagnosis.unclaimed} executions were offered again and again, and nobody takes them; {found}"
        remedy = "look at what is said here of executors, validators and their groups, and at their logs"
        return Check("waiting", False, found, remedy)
    if diagnosis.turn_s > TURN_MAX_S:
        found = f"what nothing holds back has not begun for {diagnosis.turn_s:.0f} s; {found}"
        return Check("waiting", False, found, "is Kafka there? Else see the jobstore's log for its dispatcher")
    return Check("waiting", True, found)


def _check_validators(validators: "Sequence[Validator]") -> list[Check]:
    """Say whether all validators are set to the same judge (of jobs that name no judge policy); ok even if not."""
    owners: dict[str, list[str]] = {}
    for each in validators:
        owners.setdefault(each.judge or "unknown", []).append(each.owner)
    if len(owners) <= 1:
        return [Check("judging", True, f"{len(each)} validators judge by {judge}") for judge, each in owners.items()]
    found = "; ".join(f"{judge}: {', '.join(each)}" for judge, each in sorted(owners.items()))
    remedy = (
        "how strict a job is judged depends on who comes first: give all of them the same settings, or name a policy; "
        "`signoff judges diff default VERSION VERSION` shows what differs"
    )
    return [Check("judging", True, f"validators are set differently: {found}", remedy)]


async def _check_agents(agents: Sequence[Agent]) -> list[Check]:
    enabled = {agent.id: hide_userinfo(agent.url) for agent in agents if agent.enabled}
    remedy = "start it, or correct its address: signoff agents update {} --url ..."
    found = (_check_listening(f"agent {name}", url, remedy.format(name)) for name, url in enabled.items())
    return [
        *await asyncio.gather(*found),
        *(_warn_of_userinfo(agent.id) for agent in agents if has_userinfo(agent.url)),
    ]


def _warn_of_userinfo(agent_id: str) -> Check:
    remedy = (
        "whoever reads facts, the database or a backup reads them: put `Basic` and the base64 of user:password into a "
        f"variable of the executors, then signoff agents update {agent_id} --url <without them> "
        "--header Authorization=env:SIGNOFF_AGENT_<NAME>"
    )
    return Check(f"agent {agent_id}'s URL", True, "holds a user or a password", remedy)


async def check_judge(target: Target) -> list[Check]:
    """Check whether the local judge answers. Other judges are not checked, since only validators reach them."""
    if target.judge is None:
        return []
    try:
        await _get(target.judge)  # whatever it answers
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        remedy = "without a judge jobs stay IN_PROGRESS, and nothing is lost"
        return [Check("judge", False, f"{target.judge}: {describe_error(error)}", remedy)]
    return [Check("judge", True, target.judge)]


async def _check_listening(part: str, url: str, remedy: str) -> Check:
    """Check whether a URL's host takes a connection. No request is sent, since an agent might take it for work."""
    address = urlsplit(url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(address.hostname, port)
        writer.close()
        await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        return Check(part, False, f"{url}: {describe_error(error)}", remedy)
    return Check(part, True, url)


async def _get(url: str) -> tuple[int, str, Any]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
        return answer.status, (await answer.text())[:2_000], answer.headers


def _shorten(id_: str) -> str:
    """Return the first eight characters of an id; logs have the whole id."""
    return id_[:8]
