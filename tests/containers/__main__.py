"""`make containers`: build all images on stand-in bases, and do what a stranger does with docker-compose.yml.

It ends with 0 if each step is as it must be, and nothing runs as root, writes outside its volumes or shows a secret.
"""

import asyncio
import json
import os
import re
import secrets as randomness
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from urllib.request import Request, urlopen

from aiohttp import web
from aiokafka.errors import TopicAuthorizationFailedError

from containers.audit import find_faults, read_secrets
from containers.bases import build_images, make_bases
from containers.engine import ROOT, Compose, ContainersError, Engine, find_folder, wait_until
from contracts.events import ExecuteRequested, ResultProduced
from contracts.topics import TOPIC_OF
from servicekit.kafka.access import KafkaAccess, count_partitions
from servicekit.kafka.settings import Security

SERVICES = ("jobstore", "executor", "validator", "console")
#: Seconds within which one that is not ready must be unhealthy, and cores that all checks together may take.
SEEN_WITHIN_S = 15.0
CHECKS_MAX_CORES = 0.005
#: A variable that a stranger sets; the service `judge` answers in the place of OpenAI.
KEY = "sk-of-the-stranger-0123456789"
ANOTHER_JUDGE = "http://judge:8090/v1"
AGENT_PORT = 9417
#: Of a job whose agent may be away until its container has been made again.
PATIENT = {"max_calls": 100, "backoff_max_s": 3}
#: Executed in the container that makes Kafka's users: its topics, and what is told to who names no user.
LOOK_AT_KAFKA = """
import asyncio
import os
from pathlib import Path
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.settings import Mechanism, Security

async def main():
    file = Path(os.environ["SIGNOFF_KAFKA_PASSWORD_FILE"])
    kafka = KafkaAccess("kafka:9095", Security.SASL_PLAINTEXT, Mechanism.PLAIN, "admin", password_file=file)
    admin = kafka.make_admin()
    await admin.start()
    print(await admin.list_topics(), await KafkaAccess("kafka:9092").find_refusal())
    await admin.close()

asyncio.run(main())
"""


def main() -> int:
    """Do all steps, and say how each went."""
    try:
        engine = Engine(find_folder())
        with step("three bases, made of packages"):
            make_bases(engine)
        with step("five images"):
            build_images(engine)
        with tempfile.TemporaryDirectory(prefix="signoff-clone-") as temporary:
            compose = Compose(engine, copy_project(Path(temporary)))
            with compose.serving():
                try:
                    with engine.checking_health():
                        return live_through(compose)
                finally:
                    compose("down", "--volumes", "--timeout", "5")
    except ContainersError as error:
        tell(f"FAILED: {error}")
        return 1


def copy_project(folder: Path) -> Path:
    """Copy what a clone would have: what is committed, or new and not ignored."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def live_through(compose: Compose) -> int:
    """Do what a stranger does; return 1 if something runs as root, writes elsewhere, or shows a secret."""
    engine = compose.engine
    compose("down", "--volumes", "--timeout", "5")  # of a run that was killed
    with step("up, from a clone, without a variable"):
        compose.up()
    secrets = read_secrets(compose)
    with step("a judged job, by fixed rules, which say so"):
        register_writer(compose)
        run_job(compose, "first")
        shown = compose.read("signoff", "jobs", "show", "first")
        require("local judge: fixed rules, no model" in shown, f"rules judge: {shown}")
    faults = [f"without a variable: {fault}" for fault in find_faults(engine, secrets)]
    with step("the same with one variable, OPENAI_API_KEY (here another server speaks OpenAI's API)"):
        compose.variables = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": ANOTHER_JUDGE}
        compose.up()
        require(read_secrets(compose) == secrets | {"OPENAI_API_KEY": KEY}, "what was made stays, and the key is kept")
        run_job(compose, "keyed")
    with step("signoff open"):
        require_page(compose.read("signoff", "open").strip())
    with step("signoff demo"):
        compose.signoff("demo")
    with step("each example of README for operators"):
        run_operators_example(compose)
    with step("signoff doctor"):
        compose.signoff("doctor")
    with step("an agent on this machine: refused with the step to do, and called after it"):
        call_agent_of_machine(compose)
    with step("two jobstores, and gRPC at this machine's port"):
        compose.up("--scale", "jobstore=2")
        call_published_grpc(secrets["SIGNOFF_TOKEN"])
        run_job(compose, "spread")
        compose.up("--scale", "jobstore=1")
    with step("each container is killed, and made again, while jobs are judged"):
        kill_each(compose, secrets["SIGNOFF_TOKEN"])
    with step("down, and up"):
        compose("down", "--timeout", "30")
        compose.up()
        require(
            "COMPLETED" in compose.read("signoff", "jobs", "show", "keyed"), "a job and its verdict are still there"
        )
        run_job(compose, "afterwards")
    with step(f"one that is frozen is unhealthy within {SEEN_WITHIN_S:g} s"):
        tell(f"    after {freeze(engine, find_one(engine, 'executor')):.1f} s")
    with step(f"health checks take at most {CHECKS_MAX_CORES} cores"):
        cores = sum(measure_check(engine, name, service) for name, service in engine.list_containers().items())
        tell(f"    {cores:.4f} cores, all together")
        require(cores <= CHECKS_MAX_CORES, "the checks are cheap")
    faults += find_faults(engine, secrets | {"OPENAI_API_KEY": KEY})
    tell("runs as root, writes outside its volumes, or shows a secret: " + ("\n  ".join(["", *faults]) or "nothing"))
    with step("an .env and a Kafka of release 0.2.0, which knew no users"):
        come_from_0_2_0(compose)
    return 1 if faults else 0


def register_writer(compose: Compose) -> None:
    """Register the agent that writes by rules."""
    compose.signoff("agents", "create", "--id", "writer", "--name", "writer", "--url", "http://agents:8091/writer")


def run_job(compose: Compose, name: str) -> None:
    """Create a job, and wait until it is completed."""
    criteria = ("--criteria", 'Says "sea"', "--agent", "writer", "--execute", "--wait")
    compose.signoff("jobs", "create", "--id", name, "--title", "A haiku about the sea", *criteria)


def require_page(link: str) -> None:
    """Require that a browser of this machine gets the page at a link."""
    require(re.fullmatch(r"http://localhost:8080/login#[\w-]{20,}", link) is not None, f"a link with a code: {link}")
    shown = subprocess.run(["curl", "-fsS", link], capture_output=True, text=True, check=False)
    require("<html" in shown.stdout, f"the page is there: {shown.stderr}")


def run_operators_example(compose: Compose) -> None:
    """Run the block of README as it stands there, with `signoff` as the page for Compose defines it."""
    (block,) = re.findall(r"### As an operator\n.*?```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    page = (ROOT / "deploy/compose/README.md").read_text()
    (function,) = re.findall(r"^signoff\(\) \{.*\}$", page, re.MULTILINE)
    script = f"{function.replace('docker compose', str(compose.program))}\n{block}"
    told = compose.engine.run("bash", "-euo", "pipefail", "-c", script, cwd=compose.folder, more=compose.environment)
    require("COMPLETED" in told, told)


def call_agent_of_machine(compose: Compose) -> None:
    """Have a job done by an agent that listens on this machine, at the address by which containers reach it.

    Podman before 4.7 is told that address; one of its own choice may be that of the network `agents`, which is allowed.
    """
    name, address = "host.docker.internal", find_gateway(compose.engine, "signoff_default")
    compose.variables["SIGNOFF_MACHINE_ADDRESS"] = address
    compose.up()
    with serving_agent(address):
        url = f"http://{name}:{AGENT_PORT}/"
        compose.signoff("agents", "create", "--id", "mine", "--name", "mine", "--url", url)
        job = ("jobs", "create", "--title", "x", "--criteria", "Is not empty", "--agent", "mine", "--execute")
        compose.signoff(*job, "--id", "refused")
        step_to_do = f"add {name}:{AGENT_PORT}"
        wait_until(lambda: step_to_do in compose.signoff("jobs", "logs", "refused"), "the refusal names the step")
        compose.variables["SIGNOFF_AGENT_NETWORKS"] = f"10.213.0.0/24,{name}:{AGENT_PORT}"
        compose.up()
        compose.signoff(*job, "--id", "allowed", "--wait")


def find_gateway(engine: Engine, network: str) -> str:
    """Return the address of this machine in a network."""
    (known,) = json.loads(engine.podman("network", "inspect", network))
    return str(known["subnets"][0]["gateway"])


@contextmanager
def serving_agent(address: str) -> Iterator[None]:
    """Serve an agent at an address of this machine's own network of containers."""
    loop = asyncio.new_event_loop()

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"text": "done here"})

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, address, AGENT_PORT).start())
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(runner.cleanup())
        loop.close()


def call_published_grpc(token: str) -> None:
    """List jobs from this machine, several times, as connections are spread."""
    listed = [sys.executable, "-m", "cli", "jobs", "list", "--jobstore", "127.0.0.1:50051", "--token", token]
    for _ in range(4):
        done = subprocess.run(listed, capture_output=True, text=True, check=False)
        require(done.returncode == 0 and "keyed" in done.stdout, done.stderr)


def kill_each(compose: Compose, token: str) -> None:
    """Kill and remove each container, and have it made again; jobs that were begun before end completed."""
    for name, service in compose.engine.list_containers().items():
        job: dict[str, object] = {
            "id": f"beside-{service}",
            "title": "The sea",
            "acceptance_criteria": 'Says "sea"',
            "agent_id": "writer",
            "policy": PATIENT,
        }
        call_rest(token, "jobs", job)
        call_rest(token, f"jobs/{job['id']}/execute", {})
        compose.engine.podman("rm", "--force", "--time", "0", name)
        compose("up", "--no-build", "--detach")
        wait_until(lambda job=job: '"COMPLETED"' in call_rest(token, f"jobs/{job['id']}"), f"{job['id']} is completed")
    compose.wait_until_healthy()


def call_rest(token: str, path: str, body: Mapping[str, object] | None = None) -> str:
    """Call REST at this machine's port, again until it answers well, and return the answer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    headers |= {"Idempotency-Key": f"{path} {body.get('id', '')}"} if body is not None else {}
    request = Request(f"http://127.0.0.1:8080/api/{path}", data, headers)
    answers: list[str] = []

    def has_answered() -> bool:
        try:
            with urlopen(request, timeout=10) as answer:
                answers.append(answer.read().decode())
        except OSError:
            return False
        return True

    wait_until(has_answered, f"REST answers {path}")
    return answers[0]


def come_from_0_2_0(compose: Compose) -> None:
    """Have Kafka's volume made as release 0.2.0 did, and go on with what its .env had to set."""
    compose("down", "--volumes", "--timeout", "5")
    before = ("--file", "tests/containers/of_0_2_0.yml", "--project-directory", ".")
    compose(*before, "up", "--detach", "kafka")
    compose(*before, "run", "--rm", "-T", "topic")
    compose(*before, "down")
    tokens = ("POSTGRES_PASSWORD", "SIGNOFF_TOKEN", "SIGNOFF_EXECUTOR_TOKEN", "SIGNOFF_VALIDATOR_TOKEN")
    keys = ("SIGNOFF_ID_KEY", "SIGNOFF_SESSION_SECRET")
    compose.variables = {name: randomness.token_hex(32) for name in tokens}
    compose.variables |= {name: b64encode(randomness.token_bytes(32)).decode() for name in keys}
    compose.variables["SIGNOFF_SECRETS"] = f"first:{b64encode(randomness.token_bytes(32)).decode()}"
    compose("--file", "docker-compose.yml", "--file", "deploy/compose/kafka-port.yml", "up", "--no-build", "--detach")
    compose.wait_until_healthy()
    register_writer(compose)
    run_job(compose, "afterwards")
    asyncio.run(call_published_kafka(read_secrets(compose)["KAFKA_UPSTREAM_PASSWORD"]))
    seen = compose.read("--no-deps", "--entrypoint", "python", "kafka-users", "-c", LOOK_AT_KAFKA)
    require("of-0-2-0" in seen and "asks for a user by SCRAM-SHA-512" in seen, f"its topic is there, for users: {seen}")


async def call_published_kafka(password: str) -> None:
    """Ask Kafka from this machine, as an upstream, for a topic that it writes to, and for one that it may not see."""
    client = KafkaAccess("localhost:9094", Security.SASL_PLAINTEXT, user="upstream", password=password).make_client()
    await client.bootstrap()
    try:
        require(await count_partitions(client, [TOPIC_OF[ExecuteRequested]]) != {}, "upstreams ask for jobs by Kafka")
        try:
            await count_partitions(client, [TOPIC_OF[ResultProduced]])
        except TopicAuthorizationFailedError:
            return
        require(False, "upstreams see no results")
    finally:
        await client.close()


def freeze(engine: Engine, name: str) -> float:
    """Freeze a service, wait until its container is unhealthy, and thaw it; return the seconds until then."""
    pid = int(engine.inspect(name)["State"]["Pid"])
    started_s = check_start_period(engine, name)
    wait_until(lambda: time.time() > started_s and read_health(engine, name) == "healthy", f"{name} is seen as healthy")
    os.kill(pid, signal.SIGSTOP)
    try:
        after_s = wait_until(lambda: read_health(engine, name) == "unhealthy", f"{name} is unhealthy", 60)
    finally:
        os.kill(pid, signal.SIGCONT)
    require(after_s <= SEEN_WITHIN_S, f"unhealthy after {after_s:.1f} s")
    return after_s


def check_start_period(engine: Engine, name: str) -> float:
    """Return the time at which failures of a container's check begin to count, to Podman."""
    known = engine.inspect(name)
    started = engine.podman("inspect", "--format", "{{.State.StartedAt.Unix}}", name)
    return int(started) + known["Config"]["Healthcheck"]["StartPeriod"] / 1e9


def read_health(engine: Engine, name: str) -> str:
    """Return the health of a container, as the engine has it."""
    state = engine.inspect(name)["State"]
    return str((state.get("Health") or state.get("Healthcheck"))["Status"])


def measure_check(engine: Engine, name: str, service: str) -> float:
    """Return the cores that a container's check takes: of the program that asks, and of the service that answers."""
    check = engine.inspect(name)["Config"].get("Healthcheck")
    if not check:
        return 0.0
    times, pid = 40, int(engine.inspect(name)["State"]["Pid"])
    command = " ".join(f"'{word}'" for word in check["Test"][1:])
    script = f"TIMEFORMAT='%U %S'; time for i in $(seq {times}); do {command} >/dev/null 2>&1; done"
    idle_from = (read_cpu_s(pid), time.monotonic())
    time.sleep(3)  # nothing is waited for: what is measured is what the service takes without checks
    idle_s = (read_cpu_s(pid) - idle_from[0]) / (time.monotonic() - idle_from[1])
    before_s, begun = read_cpu_s(pid), time.monotonic()
    told = engine.run("bash", "-c", f'podman exec {name} bash -c "$SCRIPT" 2>&1', more={"SCRIPT": script})
    answering_s = max(0.0, read_cpu_s(pid) - before_s - idle_s * (time.monotonic() - begun))
    asking_s = sum(float(word) for word in told.split()[-2:])
    interval_s = check["Interval"] / 1e9
    tell(
        f"    {service}: {1000 * asking_s / times:.1f} ms to ask, {1000 * answering_s / times:.1f} ms to answer, "
        f"each {interval_s:g} s"
    )
    return (asking_s + answering_s) / times / interval_s


def read_cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process and its ended children took."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def find_one(engine: Engine, service: str) -> str:
    """Return the container of a service."""
    return next(name for name, of in engine.list_containers().items() if of == service)


def require(is_true: bool, what: str) -> None:
    """Raise ContainersError if something is not so."""
    if not is_true:
        raise ContainersError(f"is not so: {what}")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print the name of a step, and how long it took."""
    tell(f"  {name} ...")
    begun = time.monotonic()
    yield
    tell(f"  {name}: {time.monotonic() - begun:.0f} s")


def tell(message: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
