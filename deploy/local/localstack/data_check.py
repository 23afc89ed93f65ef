"""Look at what an earlier run left in a data directory, before anything there is changed."""

from pathlib import Path

from localstack.errors import DataVersionError
from localstack.kafka import KAFKA_VERSION
from localstack.postgres import POSTGRES_VERSION

#: What the node of a local stack writes into `meta.properties`: the form of Kafka without ZooKeeper, and its number.
KAFKA_FORM = {"version": "1", "node.id": "1"}
HOW = "docs/operations/upgrading.md says how (a local stack's data)"


def check_data(directory: Path) -> None:
    """Check that this version can go on with a directory's data. Raise DataVersionError; change nothing."""
    postgres, kafka = directory / "postgres" / "data", directory / "kafka" / "data"
    found = _read(postgres / "PG_VERSION").strip()
    if found not in {"", POSTGRES_VERSION}:
        message = (
            f"{postgres} was made by PostgreSQL {found}, and this version of Signoff runs PostgreSQL "
            f"{POSTGRES_VERSION}; nothing was changed. Go on with the version of Signoff that made it, move the data "
            f"({HOW}), or choose another data directory (--data-dir)"
        )
        raise DataVersionError(message)
    lines = [line.partition("=") for line in _read(kafka / "meta.properties").splitlines() if "=" in line]
    properties = {name.strip(): value.strip() for name, _, value in lines}
    if properties and KAFKA_FORM.items() - properties.items():
        message = (
            f"{kafka} is of a node that Kafka {KAFKA_VERSION} cannot go on as: meta.properties has "
            f"{_name(properties)} in place of {_name(KAFKA_FORM)}; nothing was changed. Go on with the version of "
            f"Signoff that made it, or let the topics be filled again from the database ({HOW})"
        )
        raise DataVersionError(message)


def _name(properties: dict[str, str]) -> str:
    return ", ".join(f"{name}={properties.get(name, '')}" for name in KAFKA_FORM)


def _read(path: Path) -> str:
    """Return a file's text, nothing where there is none."""
    try:
        return path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except PermissionError as error:
        message = f"{path} is of another account; nothing was changed. Start as the account that did before, or as root"
        raise DataVersionError(message) from error
