"""Cut a schema out of a definition of custom resources: `cut.py SOURCE VERSION DEFINITION.yaml` writes KIND.json here.

What is left says which keys there are, and what their values are. Strimzi's definitions are made by its own program:
`java -cp .. io.strimzi.crdgenerator.CrdGenerator --yaml io.strimzi.api.kafka.model.user.KafkaUser=FILE`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

KEPT = ("properties", "additionalProperties", "items", "type", "enum", "required", "pattern", "anyOf", "oneOf")
OPEN = "x-kubernetes-preserve-unknown-fields"
#: What the chart does not set, and is large: nothing below it is checked.
LEFT_OUT = ("status", "template", "affinity", "backup", "externalClusters", "cruiseControl", "kafkaExporter")


def cut(schema: Any) -> dict[str, Any]:
    """Return the schema without descriptions, which allows no keys but those that are declared."""
    made = {name: schema[name] for name in KEPT if name in schema}
    for name in {"items", "additionalProperties"} & made.keys():
        made[name] = cut(made[name]) if isinstance(made[name], dict) else made[name]
    if "properties" in made:
        made["properties"] = {
            name: {} if name in LEFT_OUT else cut(value) for name, value in made["properties"].items()
        }
        if not schema.get(OPEN):
            made.setdefault("additionalProperties", False)
    return made


if __name__ == "__main__":
    source, version, path = sys.argv[1:]
    spec = yaml.safe_load(Path(path).read_text("utf-8"))["spec"]
    (chosen,) = (each for each in spec["versions"] if each["name"] == version)
    kind, schema = spec["names"]["kind"], cut(chosen["schema"]["openAPIV3Schema"])
    made = {"source": source, "apiVersion": f"{spec['group']}/{version}", "kind": kind, "schema": schema}
    Path(__file__).with_name(f"{kind}.json").write_text(f"{json.dumps(made)}\n", "utf-8")
