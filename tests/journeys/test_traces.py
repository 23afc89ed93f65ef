"""What a job did is one trace, of whoever asked for it, of its agent and of its judge, at a receiver of OTLP."""

import signal
from asyncio.subprocess import Process
from contextlib import suppress

import psutil
from support.fakes import until
from support.otlp import Collector, find, roots
from support.system import WAIT_S, Agent, Judge, System, another, signoff

from contracts.events import ExecuteRequested
from contracts.topics import TOPIC_OF
from contracts.traceparent import TraceContext, derive_trace_id
from signoff.status import JobStatus
from signoff.values import new_execution_id

GIVEN = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


async def test_a_job_is_a_trace_of_who_asked_its_agent_and_its_judge(
    system: System, agent: Agent, judge: Judge
) -> None:
    """Asked for by each door with a traceparent; one of the three is submitted again by policy."""
    doors = ["a" * 31 + str(number) for number in range(3)]
    jobs = [await system.create(policy={"resubmit": "automatic", "reuse_verdict": False}) for _ in doors]
    agent.answers[jobs[0].id] = lambda body: {"text": "blue" if body["feedback"] else "red"}
    texts = [str(GIVEN._replace(trace_id=trace_id)) for trace_id in doors]
    asked_before = len(judge.traceparents)

    async with system.http.post(f"/api/jobs/{jobs[0].id}/execute", headers={"traceparent": texts[0]}) as answer:
        assert answer.status == 201, await answer.text()
    token = system.endpoints["token"]
    await system.client.with_token(token, traceparent=texts[1]).execute_job(jobs[1].id)
    event = ExecuteRequested(execution_id=new_execution_id(), job_id=jobs[2].id)
    headers = [("traceparent", texts[2].encode())]
    await system.producer.send_and_wait(
        TOPIC_OF[ExecuteRequested], event.model_dump_json().encode(), jobs[2].id.encode(), headers=headers
    )
    hostile = [await system.create() for _ in doors]
    none = {"traceparent": "00-" + "f" * 900}
    async with system.http.post(f"/api/jobs/{hostile[0].id}/execute", headers=none) as answer:
        own = [(await answer.json())["id"]]
    nobody = system.client.with_token(token, traceparent=f"00-{'0' * 32}-{GIVEN.span_id}-01")
    own += [(await nobody.execute_job(hostile[1].id)).id, new_execution_id()]
    event = ExecuteRequested(execution_id=own[2], job_id=hostile[2].id)
    await system.producer.send_and_wait(
        TOPIC_OF[ExecuteRequested],
        event.model_dump_json().encode(),
        hostile[2].id.encode(),
        headers=[("traceparent", texts[2].encode() * 300)],
    )
    for job in (*jobs, *hostile):
        await system.logged(job.id, lambda entry: entry.status == JobStatus.COMPLETED)

    collector = Collector()
    environment = psutil.Process(system.endpoints["processes"]["jobstore"]).environ()
    system.environments["jobstore.tracing"] = environment
    async with collector.serving() as url:
        sending = await another(system, "jobstore.tracing", SIGNOFF_OTLP_ENDPOINT=url)
        wanted = {job.id for job in (*jobs, *hostile)}
        await until(lambda: wanted <= set(collector.jobs()))
        sending.terminate()
        assert await sending.wait() == 0

    traces = collector.traces()
    for job, trace_id in zip(jobs, doors, strict=True):
        spans = traces[bytes.fromhex(trace_id)]
        (root,) = roots(spans)
        assert (root.name, find(root, "signoff.job.status")) == ("execute_job", "COMPLETED")
        assert root.parent_span_id.hex() == GIVEN.span_id
        told = [TraceContext.parse(headers["traceparent"]) for headers, _ in agent.calls[job.id]]
        calls = {span.span_id.hex() for span in spans if span.name == "invoke_agent agent"}
        assert {each.span_id for each in told if each} == calls
        assert {each.trace_id for each in told if each} == {trace_id}
        judgings = {span.span_id.hex() for span in spans if span.name == "judge"}
        told = [TraceContext.parse(text) for text in judge.traceparents[asked_before:]]
        assert {each.span_id for each in told if each and each.trace_id == trace_id} == judgings
    assert len(agent.calls[jobs[0].id]) == 2
    for execution_id in own:
        assert [span.name for span in traces[bytes.fromhex(derive_trace_id(execution_id))]].count("execute_job") == 1
    assert all(len(roots(spans)) == 1 for spans in traces.values())


async def test_traces_are_made_afterwards_with_the_same_ids_and_sent_where_one_says(system: System) -> None:
    job = await system.create()
    execution = await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    await system.calm()
    collector = Collector()
    async with collector.serving() as url:
        trace, result = await signoff(system, "traces", "export", "--job", job.id, "--to", url)
    assert (trace["trace_id"], trace["job_id"], trace["ended"]) == (derive_trace_id(execution.id), job.id, True)
    assert [span["name"] for span in trace["spans"]][:2] == ["execute_job", "submission"]
    assert {span["span_id"] for span in trace["spans"]} == {span_id.hex() for span_id in collector.spans}
    assert (result["traces"], result["sent"]) == (1, True)


async def test_a_killed_and_a_frozen_exporter_leave_neither_gap_nor_double(system: System) -> None:
    """What arrives is what the facts say, though others take over from them, and the frozen one goes on later."""
    jobs, collector, exporters = list[str](), Collector(), list[Process]()

    async def ask(url: str | None = None) -> None:
        """Ask for jobs, and let one more exporter send to `url`, until the traces of all have arrived."""
        asked = [(await system.create()).id for _ in range(4)]
        for job_id in asked:
            await system.client.execute_job(job_id)
        jobs.extend(asked)
        if url is not None:
            exporters.append(await another(system, "jobstore.tracing", SIGNOFF_OTLP_ENDPOINT=url))
        await until(lambda: set(jobs) <= set(collector.jobs()), WAIT_S)

    jobstore = psutil.Process(system.endpoints["processes"]["jobstore"])
    system.environments.setdefault("jobstore.tracing", jobstore.environ())
    try:
        async with collector.serving() as url:
            await ask(url)
            exporters[0].kill()
            await ask(url)
            exporters[1].send_signal(signal.SIGSTOP)
            await ask(url)
            exporters[1].send_signal(signal.SIGCONT)
            await ask()
    finally:
        for exporter in exporters:
            with suppress(ProcessLookupError):
                exporter.kill()
            await exporter.wait()
    assert sorted(set(jobs) & set(collector.jobs())) == sorted(each for each in collector.jobs() if each in jobs)
    for job_id in jobs[::4]:
        trace, _ = await signoff(system, "traces", "export", "--job", job_id)
        sent = collector.traces()[bytes.fromhex(trace["trace_id"])]
        assert {span["span_id"] for span in trace["spans"]} == {span.span_id.hex() for span in sent}
