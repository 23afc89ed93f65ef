"""Compose and the chart make the roles of the database: by a script that an image sources, and by CloudNativePG."""

import asyncio
import os
import re
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from chart_faults import list_kind
from charts import EXAMPLES, render
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


async def test_what_the_chart_has_cloudnativepg_execute_makes_the_roles(postgres: str) -> None:
    """The operator makes the owner and the database before, and sets passwords afterwards."""
    (cluster,) = list_kind(render(EXAMPLES["operators"]), "Cluster")
    made, roles = cluster["spec"]["bootstrap"]["initdb"], cluster["spec"]["managed"]["roles"]
    mine, password = f"test_{uuid4().hex}", uuid4().hex
    names = {name: f"{mine}_{name}" for name in (made["database"], made["owner"], *(role["name"] for role in roles))}

    def rename(sql: str) -> str:
        return re.sub(r"\w+", lambda word: names.get(word[0], word[0]), sql)

    async def connect(role: str) -> asyncpg.Connection:
        at = urlsplit(postgres)
        return await asyncpg.connect(rename(f"postgresql://{role}:{password}@127.0.0.1:{at.port}/{made['database']}"))

    server = await asyncpg.connect(postgres)
    try:
        await server.execute(rename(f"CREATE ROLE {made['owner']} LOGIN"))
        await server.execute(rename(f"CREATE DATABASE {made['database']} OWNER {made['owner']}"))
        inside = await asyncpg.connect(urlsplit(postgres)._replace(path=f"/{names[made['database']]}").geturl())
        for sql in made["postInitApplicationSQL"]:
            await inside.execute(rename(sql))
        await inside.close()
        for role in roles:
            assert (role["login"], role.get("inRoles", [])) in [(True, []), (True, [made["owner"]])]
            await server.execute(rename(f"ALTER ROLE {role['name']} PASSWORD '{password}'"))
        migrating = await connect("signoff_migrate")
        await migrating.execute("CREATE TABLE made (id int)")
        assert (
            await migrating.fetchval("SELECT tableowner FROM pg_tables WHERE tablename = 'made'")
            == names["signoff_owner"]
        )
        await migrating.close()
        jobstore = await connect("jobstore")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await jobstore.execute("CREATE TABLE own (id int)")
        await jobstore.close()
    finally:
        await server.execute(f'DROP DATABASE IF EXISTS "{names["signoff"]}" WITH (FORCE)')
        for name in ("jobstore", "signoff_migrate", "signoff_owner"):
            await server.execute(f'DROP ROLE IF EXISTS "{names[name]}"')
        await server.close()
