"""By which criteria a result is judged: the job's own, and those of its set; and what checks look at. Pure."""

from functools import lru_cache

from contracts.checks import needs_context as is_bound
from contracts.criteria import parse_stored_criteria
from signoff.jsontext import parse_json


def join_criteria(own: str, of_set: str) -> str:
    """Return the text form of a job's own criteria, as they stand, and of those of its set that are not among them."""
    known = parse_stored_criteria(own)
    added = [str(one) for one in parse_stored_criteria(of_set) if one not in known]
    return "\n".join([own, *added] if known else added)


def needs_context(criteria: str) -> bool:
    """Return whether a check among the criteria looks at more than the result: at the payload, or what came before."""
    if "check:" not in criteria.lower():  # of most jobs, whose criteria are not read for this
        return False
    return any(one.kind == "check" and is_bound(one.text) for one in parse_stored_criteria(criteria))


def loop_needs_context(judge_policy: str, submission: int) -> bool:
    """Return whether a check that a policy makes besides, of a submission, looks at more than the result."""
    if '"check"' not in judge_policy:
        return False
    return any(submission >= begins for begins in _find_bound_steps(judge_policy))


@lru_cache(maxsize=100)
def _find_bound_steps(judge_policy: str) -> tuple[int, ...]:
    """Return from which submissions on a policy, which a newer jobstore may have stored, makes such a check."""
    steps = parse_json(judge_policy).get("loop") or []
    return tuple(step.get("from_submission", 2) for step in steps if step.get("check") and is_bound(step["check"]))
