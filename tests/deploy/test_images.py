"""Images are made of one service each, start it without root, and stop when told."""

import functools
import json
import signal
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
    assert sources == ["requirements.lock", "deploy/locks.py", "proto", "services/servicekit", f"services/{service}"]
    assert all((ROOT / source).exists() for source in sources)
    assert values(service, IMAGE, "COPY") == ["--from=build /venv /venv"]


def test_a_build_is_sent_nothing_else():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"
    copied = {source for name in SERVICES for value in values(name, BUILD, "COPY") for source in value.split()[:-1]}
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


@pytest.mark.parametrize("service", SERVICES)
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
def test_a_service_starts_waits_for_what_it_needs_and_stops_when_told(images, service):
    given = composition.load(composition.SECRETS)["services"][service]["environment"]
    env = environment(service) | given
    moved = {name: f"127.0.0.1:{free_port()}" for name in env if name.endswith(("_ADDRESS", "_KAFKA", "_JOBSTORE"))}
    if service == "jobstore":
        moved["SIGNOFF_DATABASE_URL"] = given["SIGNOFF_DATABASE_URL"].replace("@postgres:5432", "@127.0.0.1:1")
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


@pytest.mark.parametrize("service", SERVICES)
def test_health_is_what_the_service_answers(service):
    check = json.loads(values(service, IMAGE, "HEALTHCHECK")[0].partition("CMD ")[2])
    port = next(word for word in ("8080", "8081") if word in check[-1])
    for status, healthy in ((200, True), (503, False)):
        with _answering(status) as elsewhere:
            assert (_exit_status(check, port, elsewhere) == 0) is healthy
    assert _exit_status(check, port, free_port()) != 0


def _modules(directory, package):
    return {str(path.relative_to(directory)) for path in (directory / package).rglob("*.py")}


def _exit_status(check, port, elsewhere):
    command = [sys.executable, *(word.replace(port, str(elsewhere)) for word in check[1:])]
    return subprocess.run(command, check=False, capture_output=True).returncode


@contextmanager
def _answering(status):
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
