"""Make a dump of the tables as an older version's own code fills them: `python tests/upgrades/make_dump.py REVISION`.

The last commit whose newest migration is that revision is unpacked; its jobstore runs on a real Kafka and PostgreSQL,
with the packages of this .venv; older_lives.py leads 2,000 jobs through its doors. The broker is frozen before the
last hundred changes, so that their facts are not published yet. What is random and compresses badly, the ids of log
entries, is numbered in the end; all else is as that version wrote it.

Revisions in NEVER_LAST have no dump: their migrations came to the repository with the next one's, or on a branch
beside it. Dumps of before pass through them. For some stretches of commits, none of them a release, the newest
migration stood on one before those that a branch brought later: 0003 on 0001 (80606a33 until a68fae98), 0010 on 0007
or 0008 (e6158c88 until 8872ff20), 0011 on 0006 or 0007 (6c0f6de9 until e6158c88), 0014 on 0011 or 0012 (0e9850a5 until
fd89ab37), 0016 on 0014 (2472553c until a6e9f8c0), and 0023 on 0020 or 0021 (542ed606 until 08e8e6e1). A database that
such a commit migrated names the newest revision as its own: what came between is not carried out there any more, and
nothing upgrades it.
"""

import asyncio
import base64
import lzma
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from support.free_ports import free_port

from localstack.backing import infrastructure
from localstack.postgres import find_binaries
from localstack.process import ServiceSpec, end, spawn
from localstack.supervisor import probe_http

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PARTS = ("proto", "services/servicekit", "services/jobstore")
DUMPS = HERE / "dumps"
#: What signs its facts.
ID_KEY = base64.b64encode(bytes(32)).decode()
SECRETS = f"made:{ID_KEY}"
#: The last commit of each revision.
COMMITS = {
    "0001": "778b0c3",
    "0003": "0cea8b2",
    "0004": "d08b3b3",
    "0005": "aeb8177",
    "0006": "5bb1072",
    "0007": "f1c54b5",
    "0011": "9efe337",
    "0012": "632c7d1",
    "0014": "7e8dd69",
    "0017": "e82c686",
    "0019": "86803bd",
    "0020": "4b31917",
    "0023": "3e16502",
    "0026": "c2c8161",
    "0027": "47cee02",
}
#: What the older jobstore says.
LOG = Path(tempfile.gettempdir()) / "signoff-older-jobstore.log"
#: No code of today's order of revisions ran on tables that ended with one of these.
NEVER_LAST = {"0002", "0008", "0009", "0010", "0013", "0015", "0016", "0018", "0021", "0022", "0024", "0025"}
#: The first revision whose workers have tokens of their own, and no common one.
ROLES = "0011"
LATE_S = "3600"  # leases and offers outlast the making of the dump
NUMBER_ENTRIES = "UPDATE job_logs SET id = ('00000000-0000-7000-8000-' || lpad(to_hex(seq), 12, '0'))::uuid"


def get_dump(revision: str) -> Path:
    """The file of a revision's dump."""
    return DUMPS / f"{revision}.sql.xz"


def get_dumped_revisions() -> list[str]:
    """The revisions of which there is a dump."""
    return sorted(path.name.partition(".")[0] for path in DUMPS.iterdir())


def make_env(revision: str, kafka: str, postgres: str) -> dict[str, str]:
    """What the older jobstore, and who calls its doors, are told."""
    tokens = {"TOKEN": "a" * 40, "EXECUTOR_TOKEN": "b" * 40, "VALIDATOR_TOKEN": "c" * 40}
    if revision < ROLES:
        tokens = {"TOKEN": "a" * 40, "WORKER_TOKEN": "b" * 40}
    settings = {
        **tokens,
        "KAFKA": kafka,
        "DATABASE_URL": postgres.replace("postgresql://", "postgresql+asyncpg://"),
        "GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
        "HEALTH_ADDRESS": f"127.0.0.1:{free_port()}",
        "SECRETS": SECRETS,
        "ID_KEY": ID_KEY,
        "LEASE_S": LATE_S,
        "OFFER_AGAIN_S": LATE_S,
        "CIRCUIT_FAILURES": "1000000",
    }
    return os.environ | {f"SIGNOFF_{name}": value for name, value in settings.items()}


def unpack(commit: str, directory: Path) -> str:
    """Unpack a commit; return the path by which its jobstore is imported."""
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit, *PARTS], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", directory], input=archive, check=True)
    return os.pathsep.join(str(directory / part) for part in PARTS)


async def fill(env: dict[str, str], freeze: int) -> None:
    """Run the older jobstore and lead jobs through it; at last with the broker's process `freeze` stopped."""
    spec = ServiceSpec(name="jobstore", argv=[sys.executable, "-m", "jobstore"], env=env)
    process = await spawn(spec, LOG)
    is_ready = probe_http(f"http://{env['SIGNOFF_HEALTH_ADDRESS']}/readyz")
    try:
        async with asyncio.timeout(60):
            while not await is_ready():  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        await _lead("lives", env)
        os.kill(freeze, signal.SIGSTOP)
        await _lead("unpublished", env)
    finally:
        await end(process, signal.SIGKILL, 5.0)
        os.kill(freeze, signal.SIGCONT)


async def _lead(phase: str, env: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, str(HERE / "older_lives.py"), phase, env=env)
    if await process.wait():
        sys.exit(f"{phase} failed; what the jobstore says is in {LOG}")


def main(revision: str) -> None:
    with infrastructure() as servers, tempfile.TemporaryDirectory() as directory:
        path = unpack(COMMITS[revision], Path(directory))
        env = make_env(revision, servers.kafka, servers.postgres) | {"PYTHONPATH": path}
        asyncio.run(fill(env, servers.processes["kafka"]))
        programs = find_binaries()
        subprocess.run([programs / "psql", "-q", servers.postgres, "-c", NUMBER_ENTRIES], check=True)
        command = [programs / "pg_dump", "--no-owner", "--no-privileges", servers.postgres]
        dump = subprocess.run(command, capture_output=True, check=True).stdout
    get_dump(revision).write_bytes(lzma.compress(dump, preset=9 | lzma.PRESET_EXTREME))
    sys.stdout.write(f"{get_dump(revision)}: {get_dump(revision).stat().st_size} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1])
