"""SQL fragments that tell for how much more the workers have room, and whether anything waits for it."""

from typing import Final

from jobstore.domain.model import ExecutionStage

#: Queued executions that are looked through at most for one that is due.
_LOOKED_AT_MAX: Final = 20


def free_room(stage: ExecutionStage) -> str:
    """Return the expression of the leases that live workers would still take, less the offers not claimed yet."""
    return f"""
        coalesce((SELECT sum(room) FROM workers
            WHERE stage = '{stage}' AND seen_at > signoff_now() - make_interval(secs => :alive_s)), 0)
        - (SELECT count(*) FROM executions WHERE stage = '{stage}' AND state = 'OFFERED')
    """  # noqa: S608 - a word of our own


#: SQL columns, as domain.execution_states.Openings; with `:offers` false nothing is read.
OPENINGS: Final = f"""
    CASE WHEN :offers THEN {free_room(ExecutionStage.EXECUTING)} ELSE 0 END AS free_room,
    :offers AND (SELECT coalesce(bool_or(due_at <= signoff_now()), false) OR count(*) = {_LOOKED_AT_MAX} FROM (
        SELECT due_at FROM executions WHERE stage = 'EXECUTING' AND state = 'QUEUED' LIMIT {_LOOKED_AT_MAX}
    ) AS queued) AS is_waiting,
    :offers AND EXISTS (SELECT FROM circuits WHERE open_until IS NOT NULL) AS has_open_circuits
"""  # noqa: S608 - words of our own
