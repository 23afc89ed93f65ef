"""Images are made of one service each, start it without root, and stop when told."""

import functools
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import composition
import dockerfiles
import pytest
from dockerfiles import BUILD, IMAGE, ROOT, SERVICES, environment, values
from support.free_ports import free_port


@pytest.fixture(scope="module")
def images():
    """The Python environment of each image, made by its own build stage once it is asked for."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        subprocess.run([sys.executable, "-m", "venv", directory / "python"], check=True, env=dockerfiles.clean_env())
        python = directory / "python" / "bin" / "python"
        yield functools.cache(lambda service: dockerfiles.build(service, directory / service, python))


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_made_of_its_service_and_what_all_share(service):
    sources = [source for value in values(service, BUILD, "COPY") for source in value.split()[:-1]]
    shared = ["requirements.lock", "deploy/locks.py", "pyproject.toml", "proto", "services/servicekit"]
    assert sources == [*shared, f"services/{service}"]
    assert all((ROOT / source).exists() for source in sources)
    assert values(service, IMAGE, "COPY") == ["deploy/compose/ready.sh /", "--from=build /venv /venv"]


def test_the_image_of_the_command_has_small_agents_and_a_judge_and_no_service():
    sources = [source for value in values("cli", BUILD, "COPY") for source in value.split()[:-1]]
    shared = ["requirements.lock", "deploy/locks.py", "pyproject.toml", "proto", "services/servicekit"]
    assert sources == [*shared, "services/cli", "deploy/local"]
    assert values("cli", IMAGE, "USER") == ["10001:10001"]
    assert values("cli", IMAGE, "ENTRYPOINT") == ['["signoff"]']
    assert values("cli", IMAGE, "HEALTHCHECK") == []


def test_a_build_is_sent_nothing_else():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"
    copied = {
        source
        for name in (*SERVICES, "cli")
        for stage in (BUILD, IMAGE)
        for value in values(name, stage, "COPY")
        for source in value.split()[:-1]
        if not value.startswith("--from")
    }
    sent = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert all(any(source == path or source.startswith(f"{path}/") for path in sent) for source in copied)
    assert all(any(source == path or source.startswith(f"{path}/") for source in copied) for path in sent)


def test_images_differ_in_their_service_alone():
    builds = {dockerfiles.read(name).split("\nFROM ")[1].replace(name, "<service>") for name in SERVICES}
    assert len(builds) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_its_service_and_not_as_root(service):
    assert values(service, IMAGE, "USER") == ["10001:10001"]
    assert json.loads(values(service, IMAGE, "ENTRYPOINT")[0]) == ["python", "-m", service]
    listening = {value.split(":")[1] for name, value in environment(service).items() if name.endswith("_ADDRESS")}
    assert set(values(service, IMAGE, "EXPOSE")[0].split()) == listening


@pytest.mark.parametrize("service", [*SERVICES, "cli"])
def test_hadolint_has_nothing_to_say(service):
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "-"], input=dockerfiles.read(service), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_all_of_its_service_and_nothing_of_another(images, service):
    installed = next(images(service).glob("lib/python3.*/site-packages"))
    sources = {
        "contracts": ROOT / "proto",
        "signoff": ROOT / "proto",
        "servicekit": ROOT / "services/servicekit",
        service: ROOT / "services" / service,
    }
    for package, directory in sources.items():
        assert _modules(installed, package) == _modules(directory, package)
    assert not {*SERVICES, "cli", "localstack"} - {service} & {path.name for path in installed.iterdir()}


def test_the_console_ships_its_page_and_not_its_sources(images):
    installed = next(images("console").glob("lib/python3.*/site-packages/console"))
    assert "/assets/" in (installed / "static/index.html").read_text()
    assert list((installed / "static/assets").glob("*.js"))
    assert not list(installed.rglob("*.ts*"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_waits_for_what_it_needs_and_stops_when_told(images, service, tmp_path):
    composition.make_secrets(tmp_path, {"SIGNOFF_DATABASE_URL": "postgresql+asyncpg://me:mine@127.0.0.1:1/signoff"})
    env = environment(service) | composition.find_environment(tmp_path, service, {})
    moved = {name: f"127.0.0.1:{free_port()}" for name in env if name.endswith(("_ADDRESS", "_KAFKA", "_JOBSTORE"))}
    del env["PATH"]  # /venv is elsewhere here
    env = dockerfiles.clean_env(**env | moved)
    process = subprocess.Popen(
        [images(service) / "bin" / "python", "-m", service], cwd="/", env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        first = json.loads(process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=20)[1]
    finally:
        process.kill()
    assert first["service"] == service
    assert process.returncode == 0, rest


@pytest.mark.parametrize(("status", "ends_with"), [(200, 0), (503, 1), (None, 1)])
def test_health_is_what_the_service_answers(status, ends_with):
    with _answering(status) as port:
        assert _ask(port, "/api/health") == ends_with


def test_one_that_takes_a_question_and_does_not_answer_is_not_ready():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert _ask(silent.getsockname()[1]) != 0


def _ask(*arguments):
    command = ["bash", ROOT / "deploy/compose/ready.sh", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode


def _modules(directory, package):
    return {str(path.relative_to(directory)) for path in (directory / package).rglob("*.py")}


@contextmanager
def _answering(status):
    """Yield the port of a server that answers with a status; for None, a port at which nothing listens."""
    if status is None:
        yield free_port()
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()
