"""The options of a policy, for jobs and agents alike."""

import json
from typing import Annotated, Any, Final

import typer

from cli.options import parse_pairs, parse_usd

#: The fields of contracts.resources.Policy, which is too heavy to import for a help text; a test compares them.
POLICY_FIELDS: Final = (
    *("max_submissions", "max_calls", "attempt_timeout_s", "deadline_s", "delivery", "connect_timeout_s"),
    *("queue_timeout_s", "heartbeat_timeout_s", "judging_timeout_s", "backoff_first_s", "backoff_max_s"),
    *("backoff_factor", "retry_codes", "no_retry_codes", "resubmit", "hand_over_after", "budget_usd"),
    *("budget_tokens", "reuse_verdict", "empty_result", "judge", "criteria_set"),
)
_LISTS: Final = {"retry_codes", "no_retry_codes"}


def _complete(incomplete: str) -> list[str]:
    return [f"{name}=" for name in POLICY_FIELDS if name.startswith(incomplete)]


PolicyFields = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="NAME=VALUE",
        autocompletion=_complete,
        help=f"A field of the policy, one of {', '.join(POLICY_FIELDS)}; without a value, not set. May be repeated.",
    ),
]
BudgetUsd = Annotated[
    str | None,
    typer.Option("--budget-usd", metavar="USD", help="What all calls may cost; as --policy budget_usd=USD."),
]


def parse_policy(texts: list[str] | None, budget_usd: str | None) -> dict[str, Any]:
    """Return the fields of a policy that are given, None for those without a value. Raise BadParameter for others."""
    fields: dict[str, Any] = {}
    for name, text in parse_pairs(texts or (), "--policy").items():
        if name not in POLICY_FIELDS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(POLICY_FIELDS)}", param_hint="--policy")
        fields[name] = None if not text else text.split(",") if name in _LISTS else _parse_value(text)
    return fields if budget_usd is None else fields | {"budget_usd": parse_usd(budget_usd, "--budget-usd")}


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
