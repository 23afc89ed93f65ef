"""Say what of the containers runs as root, writes outside its volumes, or shows a secret."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from containers.engine import Compose, Engine

#: Those who may read a service's secrets, where that is no image of Signoff's.
USERS = {"postgres": "999", "kafka": "1000"}
#: What the engine itself puts into each container.
OF_ENGINE = re.compile(r"/(etc|run|dev|proc|sys)(/(hosts|hostname|resolv\.conf|mtab|\.containerenv|secrets))?")


def read_secrets(compose: Compose) -> dict[str, str]:
    """Return all secrets, as they are shown to be backed up."""
    return dict(line.split("=", 1) for line in compose.read("secrets", "show").splitlines())


def find_faults(engine: Engine, secrets: Mapping[str, str]) -> list[str]:
    """Return what is not as it must be."""
    running = engine.list_containers()
    return [
        *(fault for name in running for fault in _find_root(engine, name)),
        *(fault for name in running for fault in _find_writes(engine, name)),
        *(fault for name, service in running.items() for fault in _find_open_files(engine, name, service)),
        *_find_shown(engine, secrets),
    ]


def _find_root(engine: Engine, name: str) -> Iterator[str]:
    for line in engine.podman("top", name, "user", "args").splitlines()[1:]:
        user, _, arguments = line.partition(" ")
        if user in {"root", "0"}:
            yield f"{name}: {arguments.strip()} runs as root"


def _find_writes(engine: Engine, name: str) -> Iterator[str]:
    mounted = [mount["Destination"] for mount in engine.inspect(name)["Mounts"]]
    for line in engine.podman("diff", name).splitlines():
        path = line.partition(" ")[2]
        is_on_the_way = any(place == path or place.startswith(f"{path}/") for place in mounted)
        if not is_on_the_way and not OF_ENGINE.fullmatch(path):
            yield f"{name}: wrote {path}, outside its volumes"


def _find_open_files(engine: Engine, name: str, service: str) -> Iterator[str]:
    mounts = {mount["Destination"] for mount in engine.inspect(name)["Mounts"]}
    if "/run/signoff" not in mounts:
        return
    for line in engine.podman("exec", name, "bash", "-c", "stat -c '%u %a %n' /run/signoff/*").splitlines():
        if not line.startswith(f"{USERS.get(service, '10001')} 400 "):
            yield f"{name}: {line}: not for its user alone"


def _find_shown(engine: Engine, secrets: Mapping[str, str]) -> Iterator[str]:
    everything = engine.list_containers(all_of_them=True)
    volumes = engine.podman("volume", "inspect", "--all")
    for name in everything:
        shown = {"inspect": engine.podman("inspect", name), "its log": _read_log(engine, name)}
        if name in engine.list_containers():
            shown |= {"its processes": _read_processes(engine, name)}
        for where, text in (*shown.items(), ("volumes", volumes)):
            yield from (f"{name}: {where} shows {secret}" for secret, value in secrets.items() if value in text)


def _read_log(engine: Engine, name: str) -> str:
    return engine.run("bash", "-c", f"podman logs {name} 2>&1")


def _read_processes(engine: Engine, name: str) -> str:
    """Return the command lines and environments of a container's processes."""
    pids = engine.podman("top", name, "hpid").split()[1:]
    files = (Path(f"/proc/{pid}") / file for pid in pids for file in ("cmdline", "environ"))
    return "\n".join(file.read_bytes().decode(errors="replace") for file in files if file.exists())
