"""Put together what several answers hold of one criterion: those on the sections of a result, and votes. Pure."""

from collections.abc import Sequence
from typing import Final

from signoff.status import Outcome
from validator.verdict import Ballot, to_storable

#: Outcomes from the weakest to the one that decides: one section shows what is there, or breaks what must never be.
_PRESENCE: Final = (Outcome.FAIL, Outcome.CANNOT_ASSESS, Outcome.PASS)
_ABSENCE: Final = (Outcome.PASS, Outcome.CANNOT_ASSESS, Outcome.FAIL)


def is_settled(ballot: Ballot) -> bool:
    """Return whether no other section can change what one section showed."""
    return ballot.outcome is _order(ballot)[-1]


def join_sections(before: Ballot, here: Ballot) -> Ballot:
    """Return what is held of a criterion by two sections: presence by OR, absence by AND.

    What one section leaves open by itself is open, whatever of the other is unproven.
    """
    order = _order(before)
    stronger = max(before, here, key=lambda ballot: (order.index(ballot.outcome), not ballot.verdict.unproven))
    if is_settled(stronger):
        return stronger
    silence = (before.silence or here.silence) if stronger.outcome is Outcome.CANNOT_ASSESS else None
    return stronger._replace(is_sure=before.is_sure and here.is_sure, silence=silence)


def _order(ballot: Ballot) -> Sequence[Outcome]:
    return _ABSENCE if ballot.verdict.kind == "never" else _PRESENCE


def count_votes(ballots: Sequence[Ballot], votes: int) -> Ballot:
    """Return what the majority of so many votes holds of a criterion; no majority is no pass.

    A pass that counts has evidence, so that one with a majority does.
    """
    outcomes = [ballot.outcome for ballot in ballots]
    tally = f"{outcomes.count(Outcome.PASS)} of {votes} votes pass, {outcomes.count(Outcome.FAIL)} fail"
    for outcome in (Outcome.PASS, Outcome.FAIL):
        if 2 * outcomes.count(outcome) > votes:
            voters = [ballot for ballot in ballots if ballot.outcome is outcome]
            speaker = next((one for one in voters if one.verdict.evidence), voters[0])
            return _speak(speaker, outcome, tally, is_sure=outcomes.count(outcome) == votes)
    silences = [ballot.silence for ballot in ballots if ballot.silence]
    most = max(outcomes.count(Outcome.PASS), outcomes.count(Outcome.FAIL))
    missing = sum(bool(one.silence) or one.verdict.unproven for one in ballots) + votes - len(ballots)
    speaker = next((one for one in ballots if one.outcome is Outcome.CANNOT_ASSESS), ballots[0])
    undecided = _speak(speaker, Outcome.CANNOT_ASSESS, tally, is_sure=False)
    # Where the votes that are missing could have decided, the judges are at fault, and not the result.
    undecided.verdict.unproven = 2 * (most + missing) > votes
    return undecided._replace(silence=next(iter(silences), None) if undecided.verdict.unproven else None)


def _speak(ballot: Ballot, outcome: Outcome, tally: str, *, is_sure: bool) -> Ballot:
    comment = to_storable(f"{tally}; {ballot.verdict.comment}" if ballot.verdict.comment else tally)
    evidence = ballot.verdict.evidence if outcome is ballot.outcome else []
    verdict = ballot.verdict.model_copy(update={"outcome": outcome, "comment": comment, "evidence": evidence})
    return Ballot(verdict, ballot.fault if outcome is ballot.outcome else None, is_sure)
