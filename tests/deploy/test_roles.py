"""Compose makes the roles of the database by a script that PostgreSQL's image sources."""

import asyncio
import os
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from dockerfiles import ROOT

from localstack.postgres import find_binaries

SCRIPT = ROOT / "deploy/compose/roles.sh"


@pytest.mark.parametrize("has_passwords", [True, False])
async def test_the_script_makes_the_roles_if_there_are_passwords(
    postgres: str, has_passwords: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name, at, password = f"test_{uuid4().hex}", urlsplit(postgres), uuid4().hex
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    script = tmp_path_factory.mktemp("compose") / "roles.sh"
    roles = ROOT / "deploy/local/localstack/roles.sql"
    script.write_text(SCRIPT.read_text().replace("/roles.sql", str(roles)))
    given = {"JOBSTORE_PASSWORD": password, "MIGRATE_PASSWORD": password} if has_passwords else {}
    of_image = {"POSTGRES_USER": at.username or "", "POSTGRES_DB": name}
    psql = {"PGHOST": "127.0.0.1", "PGPORT": str(at.port), "PGPASSWORD": at.password or ""}
    path = {"PATH": f"{find_binaries()}:{os.environ['PATH']}"}
    try:
        env = {**given, **of_image, **psql, **path}
        sourced = await asyncio.create_subprocess_exec("bash", "-c", f". {script}; echo goes on", env=env, stdout=-1)
        told, _ = await sourced.communicate()
        assert (told.decode(), sourced.returncode) == ("goes on\n", 0)
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1"
        assert await server.fetchval(owner, name) == ("signoff_owner" if has_passwords else at.username)
        if has_passwords:
            await (await asyncpg.connect(f"postgresql://jobstore:{password}@127.0.0.1:{at.port}/{name}")).close()
    finally:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()
