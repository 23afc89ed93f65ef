"""Mistakes that people make in charts are found in this one: each is made in a copy, and told by its name."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from chart_faults import find_faults
from charts import CHART, EXAMPLES, VERSIONS, find_schema_faults, render

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Mistake:
    """A text of a template that is replaced, the example that shows it, and what must be told of it."""

    file: str
    text: str
    instead: str
    told: str
    example: str = "several-jobstores"


MISTAKES = {
    "a misspelt key of a container": Mistake(
        "deployments.yaml", "readinessProbe:", "readynessProbe:", "'readynessProbe' was unexpected"
    ),
    "a misspelt key of a custom resource": Mistake(
        "scaling.yaml", "minReplicaCount", "minReplicasCount", "'minReplicasCount' was unexpected", "scaled"
    ),
    "a misspelt variable": Mistake(
        "_access.tpl", "SIGNOFF_JOBSTORE:", "SIGNOFF_JOBSTORES:", "nothing reads: ['SIGNOFF_JOBSTORES']"
    ),
    "another service's secret": Mistake(
        "_services.tpl", "[SIGNOFF_EXECUTOR_TOKEN]", "[SIGNOFF_EXECUTOR_TOKEN, SIGNOFF_TOKEN]", "['SIGNOFF_TOKEN']"
    ),
    "a secret that is left out": Mistake("_services.tpl", "  - SIGNOFF_ID_KEY\n", "", "SIGNOFF_ID_KEY is required"),
    "a secret that is shown": Mistake(
        "deployments.yaml", "{{ . }}_FILE, value: /run", "{{ . }}, value: /run", "shows ['SIGNOFF_CONSOLE_TOKEN'"
    ),
    "a file that is not mounted": Mistake(
        "_services.tpl", "sign-in/rules.toml", "sign-in/rule.toml", "SIGNOFF_OIDC_RULES is not valid"
    ),
    "variables of Services": Mistake(
        "deployments.yaml", "enableServiceLinks: false", "enableServiceLinks: true", "enableServiceLinks is True"
    ),
    "a right too many": Mistake("deployments.yaml", "{drop: [ALL]}", "{drop: []}", "securityContext is"),
    "labels of no pod": Mistake(
        "disruption.yaml", 'include "signoff.selector"', 'include "signoff.labels"', "chooses no pods"
    ),
    "jobstores behind one address": Mistake("services.yaml", "  clusterIP: None\n", "", "the address of each jobstore"),
    "jobstores out of reach while the database is": Mistake(
        "services.yaml", "publishNotReadyAddresses: true", "publishNotReadyAddresses: false", "of each jobstore"
    ),
    "a port that pods have not": Mistake("network.yaml", "port: grpc", "port: rpc", "jobstore has no port rpc"),
    "too little time to stop": Mistake("deployments.yaml", "add $given.graceS 15", "$given.graceS", "while it stops"),
    "an old pod that ends first": Mistake(
        "deployments.yaml", "maxSurge: 1, maxUnavailable: 0", "maxSurge: 0, maxUnavailable: 1", "before another one"
    ),
    "a restart for what a restart does not mend": Mistake(
        "deployments.yaml", "{path: /livez", "{path: /readyz", "is not asked /livez by its livenessProbe"
    ),
    "an Ingress to nowhere": Mistake("ingress.yaml", "-console, port", "-page, port", "leads to {"),
    "a number of pods that KEDA sets, too": Mistake(
        "deployments.yaml",
        "not (and $.Values.keda.enabled",
        "not (and false",
        "scales back",
        "scaled",
    ),
    "a password that is not mounted": Mistake(
        "_access.tpl", 'list "password"', 'list "passwort"', "SIGNOFF_KAFKA_PASSWORD_FILE", "secured"
    ),
    "a certificate without its key": Mistake(
        "_access.tpl", "  SIGNOFF_GRPC_KEY: /run/secrets/grpc/tls.key\n", "", "jobstore: does not start", "secured"
    ),
    "a judge that is not there": Mistake(
        "judge.yaml", "-judge\n  labels", "-judges\n  labels", "no judge listens at", "without-key"
    ),
    "a Service that nothing scrapes": Mistake(
        "monitor.yaml", "podTargetLabels: [", "podTargetLabel: [", "'podTargetLabel' was unexpected", "scaled"
    ),
    "a backup without the secret that signs it": Mistake(
        "backup.yaml", '(list "SIGNOFF_SECRETS" ', "(list ", "backup: does not start", "kept"
    ),
    "a backup that is told another thing": Mistake(
        "backup.yaml", "SIGNOFF_ARCHIVE_KEPT_S", "SIGNOFF_ARCHIVE_KEEP_S", "['SIGNOFF_ARCHIVE_KEEP_S']", "kept"
    ),
    "a backup into no volume": Mistake(
        "backup.yaml", '(ne .volume "") }}\napi', "false }}\napi", "is no volume", "on-volumes"
    ),
    "an archive into no volume": Mistake(
        "_services.tpl", "-archive, path: /var", "-archives, path: /var", "there is no /", "on-volumes"
    ),
    "a volume that one pod alone may mount": Mistake(
        "volumes.yaml", '"archive" "ReadWriteMany"', '"archive" "ReadWriteOnce"', "several pods mount", "on-volumes"
    ),
    "traces that call jobstores": Mistake(
        "_access.tpl", '{{- else if ne $name "traces" }}', "{{- else }}", "['SIGNOFF_JOBSTORE']", "kept"
    ),
    "a key of the values that the schema does not know": Mistake(
        "../values.yaml", "logLevel: INFO", "logLevels: INFO", "additional properties 'logLevels' not allowed"
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name: str, tmp_path: Path) -> None:
    mistake, chart = MISTAKES[name], tmp_path / "signoff"
    shutil.copytree(CHART, chart)
    file = chart / "templates" / mistake.file
    text = file.read_text("utf-8")
    assert mistake.text in text
    file.write_text(text.replace(mistake.text, mistake.instead), "utf-8")
    try:
        objects = render(EXAMPLES[mistake.example], chart=chart)
    except ValueError as refused:
        faults = [str(refused)]
    else:
        faults = [fault for each in objects for fault in find_schema_faults(each, VERSIONS[-1])]
        faults = faults or [*find_faults(objects)]
    assert mistake.told in "\n".join(faults)
