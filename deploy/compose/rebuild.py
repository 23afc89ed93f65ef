# ruff: noqa: INP001 - a script, which the service `rebuild` of production.yml executes
"""Fill the empty database `<name>_rebuilt` from the facts in Kafka, with what the jobstore itself is given.

Where there are no topics of facts it stays empty, and a restore takes the backup as it is.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from contracts.signing import FactKeys, Secrets
from jobstore.recovery import process, rebuild
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode


def take(name: str) -> str:
    """Remove a variable, or that which names its file, and return its value; empty if there is none."""
    file = os.environ.pop(f"{name}_FILE", "")
    return os.environ.pop(name, "") or (Path(file).read_text("utf-8").strip() if file else "")


async def main() -> Mapping[str, object]:
    """Rebuild, say in the database itself that this succeeded, and return the result."""
    jobstores, migrating = take("SIGNOFF_DATABASE_URL"), take("SIGNOFF_MIGRATE_DATABASE_URL")
    present = make_url(migrating or jobstores)
    empty = present.set(database=f"{present.database}_rebuilt")
    os.environ["SIGNOFF_DATABASE_URL"] = empty.render_as_string(hide_password=False)
    os.environ["SIGNOFF_FACT_KEYS"] = str(FactKeys.derive(Secrets.parse(take("SIGNOFF_SECRETS"))))
    result: Mapping[str, object] = {"ok": True, "counts": {}}
    try:
        result = await rebuild.main()
    except PermanentError as error:
        if error.code != ErrorCode.UNKNOWN_TOPIC:
            raise
    server = await asyncpg.connect(empty.set(drivername="postgresql").render_as_string(hide_password=False))
    await server.execute(f"COMMENT ON DATABASE \"{empty.database}\" IS 'made of the facts'")
    await server.close()
    return result


if __name__ == "__main__":
    process.run(main)
