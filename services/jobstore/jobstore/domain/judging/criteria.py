"""By which criteria a result is judged: the job's own, and those of its set. Pure."""

from contracts.checks import needs_context as is_bound
from contracts.criteria import parse_stored_criteria


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
