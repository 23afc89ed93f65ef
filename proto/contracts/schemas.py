"""Write the JSON Schemas of the events to proto/schemas, for readers in any language: `python -m contracts.schemas`."""

import json
from pathlib import Path

from contracts.events import Event
from contracts.topics import TOPIC_OF

SCHEMAS_DIR = Path(__file__).parents[1] / "schemas"


def schema_name(event: type[Event]) -> str:
    """Return the file name of an event's schema: its type without the system's name."""
    return f"{event.type.removeprefix('signoff.')}.json"


def schemas() -> dict[str, str]:
    """Return the text of every schema file, by file name."""
    return {schema_name(event): _render(event) for event in TOPIC_OF}


def _render(event: type[Event]) -> str:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:{event.type.replace('.', ':')}"}
    return json.dumps(head | event.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schema of every event, and remove those that belong to none."""
    texts = schemas()
    for path in SCHEMAS_DIR.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (SCHEMAS_DIR / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
