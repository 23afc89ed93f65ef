# ruff: noqa: INP001 - a script, which the service `secrets` of docker-compose.yml executes
"""Make the secrets that nobody has set, once, and give to each service its own, as files that only its user may read.

    python make_secrets.py        # write /secrets/<service>/<NAME>
    python make_secrets.py show   # print all of them as an .env, to be kept with the backups

What is given (.env, the shell) counts, then what was given or made before, which is kept in /secrets/kept.
It needs Python alone.
"""

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

#: The user of Signoff's images, and those of others, by service.
SIGNOFF: Final = 10001
OTHERS: Final = {"postgres": 999, "kafka": 1000}


def make_token() -> str:
    """Return a new token, or password."""
    return secrets.token_hex(32)


def make_key() -> str:
    """Return a new key: 32 bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def make_pair() -> str:
    """Return a new key with an id."""
    return f"made:{make_key()}"


#: The password of Kafka's superuser, and those of its users, whose names are in them.
KAFKA_ADMIN: Final = "KAFKA_ADMIN_PASSWORD"
KAFKA_USERS: Final = tuple(
    f"KAFKA_{user}_PASSWORD" for user in ("JOBSTORE", "EXECUTOR", "VALIDATOR", "UPSTREAM", "OPERATOR")
)
MADE: Final[Mapping[str, Callable[[], str]]] = {
    "POSTGRES_PASSWORD": make_token,
    "JOBSTORE_PASSWORD": make_token,
    "MIGRATE_PASSWORD": make_token,
    **dict.fromkeys((KAFKA_ADMIN, *KAFKA_USERS), make_token),
    "SIGNOFF_TOKEN": make_token,
    "SIGNOFF_EXECUTOR_TOKEN": make_token,
    "SIGNOFF_VALIDATOR_TOKEN": make_token,
    "SIGNOFF_CONSOLE_TOKEN": make_token,
    "SIGNOFF_SECRETS": make_pair,
    "SIGNOFF_ID_KEY": make_key,
    "SIGNOFF_SESSION_SECRET": make_key,
}
#: Those that others give: without one, its file is empty.
GIVEN: Final = ("OPENAI_API_KEY", "SIGNOFF_UPSTREAM_SECRETS", "SIGNOFF_OIDC_CLIENT_SECRET")
#: Those that follow from passwords, unless they are given.
URLS: Final = ("SIGNOFF_DATABASE_URL", "SIGNOFF_MIGRATE_DATABASE_URL")
#: The roles that have no superuser's rights (deploy/compose/roles.sh).
ROLES: Final = ("JOBSTORE_PASSWORD", "MIGRATE_PASSWORD")

FILES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "postgres": ("POSTGRES_PASSWORD", *ROLES),
    "kafka": (KAFKA_ADMIN,),
    "kafka-users": (KAFKA_ADMIN, *KAFKA_USERS),
    "jobstore": (
        "KAFKA_JOBSTORE_PASSWORD",
        "SIGNOFF_TOKEN",
        "SIGNOFF_EXECUTOR_TOKEN",
        "SIGNOFF_VALIDATOR_TOKEN",
        "SIGNOFF_CONSOLE_TOKEN",
        "SIGNOFF_SECRETS",
        "SIGNOFF_ID_KEY",
        "SIGNOFF_UPSTREAM_SECRETS",
        *URLS,
    ),
    "executor": ("KAFKA_EXECUTOR_PASSWORD", "SIGNOFF_EXECUTOR_TOKEN"),
    "validator": ("KAFKA_VALIDATOR_PASSWORD", "SIGNOFF_VALIDATOR_TOKEN", "OPENAI_API_KEY"),
    "console": ("SIGNOFF_CONSOLE_TOKEN", "SIGNOFF_SESSION_SECRET", "SIGNOFF_OIDC_CLIENT_SECRET"),
    "traces": ("KAFKA_JOBSTORE_PASSWORD",),
    "signoff": ("endpoints.json",),
}
AGENTS: Final = "http://agents:8091"
JUDGE: Final = "http://judge:8090"


def read_given(file: Path) -> dict[str, str]:
    """Return what is set of those in a file of NAME=VALUE lines; a line that begins with no name goes on a value."""
    given: dict[str, str] = {}
    name = ""
    for line in file.read_text().splitlines():
        start, _, value = line.partition("=")
        if start in {*MADE, *GIVEN, *URLS}:
            name, given[start] = start, value
        else:
            given[name] += f"\n{line}"
    return {name: value for name, value in given.items() if value}


def find_values(given: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """Return all values, as they are given, were kept, or are made now.

    An environment of 0.2.0 has a password of PostgreSQL's superuser and none of the roles, which its database has not.
    """
    known = {**kept, **{name: value for name, value in given.items() if value}}
    lacking = set(ROLES) if "POSTGRES_PASSWORD" in given and not known.keys() & set(ROLES) else set()
    values = {name: known.get(name) or make() for name, make in MADE.items() if name not in lacking}
    values |= {name: known.get(name, "") for name in GIVEN}
    values |= dict.fromkeys(lacking, "")
    if given.get("SIGNOFF_DATABASE_URL"):
        urls = [given.get(name, "") for name in URLS]
    elif lacking:
        urls = [_name_url("signoff", values["POSTGRES_PASSWORD"]), ""]
    else:
        urls = [_name_url("jobstore", values[ROLES[0]]), _name_url("signoff_migrate", values[ROLES[1]])]
    return values | dict(zip(URLS, urls, strict=True))


def _name_url(role: str, password: str) -> str:
    return f"postgresql+asyncpg://{role}:{quote(password, safe='')}@postgres:5432/signoff"


def describe_endpoints(values: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return what `signoff` reads of all addresses."""
    own = f"http://localhost:{environment.get('SIGNOFF_HTTP_PORT') or '8080'}"
    endpoints = {
        "grpc": "jobstore:50051",
        "http": "http://console:8080",
        "page": environment.get("SIGNOFF_PAGE") or own,
        "kafka": "kafka:9092",
        "kafka_settings": {
            "security": "SASL_PLAINTEXT",
            "user": "operator",
            "password": values["KAFKA_OPERATOR_PASSWORD"],
        },
        "topic_prefix": environment.get("SIGNOFF_TOPIC_PREFIX", ""),
        "token": values["SIGNOFF_TOKEN"],
        "agents": {name: f"{AGENTS}/{name}" for name in ("writer", "drafter", "builder")},
        "judge": None if values["OPENAI_API_KEY"] else JUDGE,
    }
    return json.dumps(endpoints, indent=2)


def read_kept(folder: Path) -> dict[str, str]:
    """Return what was given or made before."""
    return {file.name: file.read_text() for file in folder.iterdir()} if folder.exists() else {}


def write_file(file: Path, text: str, user: int) -> None:
    """Replace a file at once, with one that only `user` may read. As another user than root it stays one's own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.chmod(0o400)
    if os.geteuid() == 0:
        os.chown(new, user, user)
    new.replace(file)


def main(folder: Path, arguments: list[str], environment: Mapping[str, str]) -> None:
    """Write all files below `folder`, or print what they hold."""
    kept = read_kept(folder / "kept")
    given = read_given(Path(environment.get("SECRETS_GIVEN", "/given")))
    values = find_values(given, kept)
    if arguments == ["show"]:
        sys.stdout.writelines(f"{name}={values[name]}\n" for name in (*MADE, *GIVEN) if values[name])
        return
    for name in (*MADE, *GIVEN):
        if values[name] and values[name] != kept.get(name):
            write_file(folder / "kept" / name, values[name], 0)
    texts = {**values, "endpoints.json": describe_endpoints(values, environment)}
    for service, names in FILES_OF.items():
        for name in names:
            write_file(folder / service / name, texts[name], OTHERS.get(service, SIGNOFF))
    made = [name for name in MADE if values[name] and name not in given and name not in kept]
    sys.stdout.write(f"secrets: {len(given)} given, {len(made)} made, {len(kept)} kept\n")
    judge = "the model of OPENAI_API_KEY" if values["OPENAI_API_KEY"] else "fixed rules, as there is no OPENAI_API_KEY"
    sys.stdout.write(f"the judge: {judge}\n")
    sys.stdout.write("once all is ready, `docker compose run --rm signoff open` prints the address of the page\n")


if __name__ == "__main__":
    main(Path(os.environ.get("SECRETS_FOLDER", "/secrets")), sys.argv[1:], os.environ)
