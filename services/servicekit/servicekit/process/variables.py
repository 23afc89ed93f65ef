"""List every environment variable of Signoff, so that a misspelt one is reported at the start."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

PREFIX: Final = "SIGNOFF_"
#: The prefix of variables that headers of agents refer to, by any name.
OF_AGENTS: Final = "SIGNOFF_AGENT_"
#: The variable of validators whose JSON refers to others, by any name.
REFERRING: Final = "SIGNOFF_JUDGE_KEYS"
_REFERENCE: Final = re.compile(r"\benv:(\w+)")
#: Secrets, each of which may be in a file instead: `<NAME>_FILE`.
_SECRETS: Final = (  # noqa: SIM905 - a list of them would fill a screen
    "CONSOLE_TOKEN DATABASE_URL EXECUTOR_TOKEN FACT_KEYS ID_KEY KAFKA_PASSWORD LIVE_URL METRICS_TOKEN "
    "MIGRATE_DATABASE_URL OIDC_CLIENT_SECRET REBUILT_URL SECRETS SESSION_SECRET TOKEN UPSTREAM_SECRETS VALIDATOR_TOKEN"
).split()
#: Settings of services, their tools and the command line. A test compares them with the code.
_SETTINGS: Final = (  # noqa: SIM905
    "ACCEPT_GAPS AGENT_HEADER_DIR AGENT_NETWORKS ARCHIVE ARCHIVE_EVERY_S ATTEMPT_TIMEOUT_S AUDIT_READS BACKOFF_FACTOR "
    "BACKOFF_FIRST_S BACKOFF_MAX_S CALLS_MAX CALL_COST_MAX_USD CAPACITY CHECKPOINT CIRCUIT_FAILURES "
    "CIRCUIT_OPEN_FIRST_S CIRCUIT_OPEN_MAX_S CONNECTIONS_MAX CONNECT_TIMEOUT_S CREATE_DATABASE CREATE_TOPICS "
    "CRITERIA_SET DATABASE_MAX_BYTES DATABASE_PATIENCE_S DATABASE_POOL DEADLINE_S DEAD_LETTERS_KEPT_S "
    "DEAD_LETTERS_MAX_BYTES DISKS ENDPOINTS FACTS_KEPT_S GRACE_S GRPC_ADDRESS GRPC_CERTIFICATE GRPC_CLIENT_CA "
    "GRPC_KEY HEALTH_ADDRESS HEARTBEAT_TIMEOUT_S HTTP HTTP_ADDRESS JOBSTORE JOBSTORE_CA JOBSTORE_CERTIFICATE "
    "JOBSTORE_KEY JUDGE_API JUDGE_ASKS_WITHIN_S JUDGE_CONFIRM_KEY_NAME JUDGE_CONFIRM_MODEL JUDGE_KEYS JUDGE_KEY_DIR "
    "JUDGE_MAX_ASKS JUDGE_MODEL JUDGE_NETWORKS JUDGE_POLICY JUDGE_REFUTER_KEY_NAME JUDGE_REFUTER_MODEL "
    "JUDGE_RESULT_MAX_CHARS JUDGE_SECTION_CHARS JUDGE_THINKING_TOKENS JUDGE_TIMEOUT_S JUDGE_WITHOUT_KEY "
    "JUDGING_TIMEOUT_S KAFKA KAFKA_CA KAFKA_CERTIFICATE KAFKA_KEY KAFKA_MECHANISM KAFKA_SECURITY KAFKA_TOKEN_FILE "
    "KAFKA_USER LEASE_S LOG_LEVEL LOG_LEVEL_FILE MAX_CALLS MAX_SUBMISSIONS OFFER_AGAIN_S OIDC_CLIENT_ID "
    "OIDC_DEVICE_CLIENT_ID OIDC_ISSUER OIDC_NAME OIDC_RULES OUTCOMES_MAX PAYLOAD_MAX_BYTES POLL_MAX_S "
    "PROGRESS_INTERVAL_S QUEUE_TIMEOUT_S RESULT_MAX_BYTES RESULT_REUSE_AGE_S REUSE_MAX SESSION_S STALLED_AFTER_S "
    "STORAGE_FULL_AT TOPIC_PREFIX TOPIC_REPLICATION VERDICT_REUSE_AGE_S VIEWERS_MAX WAITING_MAX_BYTES WATCHES_MAX "
    "WORK_KEPT_S WORK_MAX_BYTES WORK_PARTITIONS ARCHIVE_KEPT_S BACKUP "
    "OTLP_ENDPOINT TRACE_CONTENT TRACE_URL REMOVED_KEPT_S CHECKPOINT_EVERY_S FACTS_GROUPS "
).split()
#: Variables of Compose, the local stack, the profiles of the command line, and tests.
_OTHERS: Final = (  # noqa: SIM905
    "BACKUPS BACKUP_EVERY_H BACKUP_KEEP_DAYS BIND CACHE_DIR CHROMIUM DOMAIN EXAMPLES FAULTS_SEED GRAFANA_PORT "
    "GRPC_PORT HTTP_PORT JAEGER_PORT KILLS MACHINE_ADDRESS PAGE PROFILE REGISTRY TENANT TLS VERSION WRITE_EXPECTED"
).split()
KNOWN: Final = frozenset(
    PREFIX + name for name in (*_SETTINGS, *_OTHERS, *_SECRETS, *(f"{secret}_FILE" for secret in _SECRETS))
)


def find_unknown(environment: Mapping[str, str]) -> list[str]:
    """Return the names of variables that begin with SIGNOFF_ and that no part of Signoff reads."""
    own = (name for name in environment if name.startswith(PREFIX) and not name.startswith(OF_AGENTS))
    of_judges = _REFERENCE.findall(environment.get(REFERRING, ""))
    return sorted(name for name in own if name not in KNOWN and name not in of_judges)


def describe_unknown(environment: Mapping[str, str]) -> str | None:
    """Return a sentence about SIGNOFF_ variables that no part reads, with similar names; None if there are none."""
    unknown = find_unknown(environment)
    return f"nothing reads the variables {', '.join(_name(unknown))}" if unknown else None


def _name(unknown: Iterable[str]) -> Iterator[str]:
    from difflib import get_close_matches  # noqa: PLC0415 - heavy, and rarely needed

    for name in unknown:
        near = get_close_matches(name, KNOWN, n=1, cutoff=0.8)
        yield f"{name} (is {near[0]} meant?)" if near else name
