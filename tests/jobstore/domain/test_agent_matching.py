"""Matching: which agent a job goes to, and what is said where it goes to none."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from jobstore.agents.rules import Candidate, describe_missing, find_best

SKILLS = st.frozensets(st.sampled_from("abcd"), max_size=4)
CANDIDATES = st.lists(
    st.builds(
        Candidate, st.text("xyz", min_size=1, max_size=3), SKILLS, st.booleans(), st.integers(min_value=0, max_value=3)
    ),
    unique_by=lambda candidate: candidate.agent_id,
    max_size=8,
)


def agent(agent_id: str, skills: str = "ab", *, closed: bool = True, load: int = 0) -> Candidate:
    return Candidate(agent_id, frozenset(skills), closed, load)


@given(SKILLS, CANDIDATES, SKILLS)
def test_the_best_has_all_and_no_other_is_better(
    needs: frozenset[str], candidates: list[Candidate], without: frozenset[str]
) -> None:
    able = [c for c in candidates if needs <= c.capabilities and c.agent_id not in without]
    found = find_best("job", needs, candidates, without)
    if not able:
        assert found is None
        return
    assert found in able
    assert (not found.circuit_closed, found.load) == min((not c.circuit_closed, c.load) for c in able)
    assert find_best("job", needs, list(reversed(candidates)), without) == found


@given(SKILLS.filter(bool), CANDIDATES)
def test_what_is_missing_is_missing(needs: frozenset[str], candidates: list[Candidate]) -> None:
    others = [c for c in candidates if not needs <= c.capabilities]
    words = describe_missing(needs, others)
    had = frozenset[str]().union(*(c.capabilities for c in others))
    if nobodys := sorted(needs - had):
        assert words == "no enabled agent has " + ", ".join(f'"{name}"' for name in nobodys)
    else:
        lacking = words.partition(": the nearest lacks ")[2].replace('"', "").split(", ")
        assert len(lacking) == min(len(needs - c.capabilities) for c in others)
        assert set(lacking) in [needs - c.capabilities for c in others]


@given(SKILLS.filter(bool), CANDIDATES, CANDIDATES)
def test_agents_that_change_nothing_change_no_word(
    needs: frozenset[str], candidates: list[Candidate], more: list[Candidate]
) -> None:
    """Else each change of any agent would add to the log of each job that waits."""
    others = [c for c in candidates if not needs <= c.capabilities]
    useless = [c for c in more if any(c.capabilities & needs <= o.capabilities for o in others)]
    assert describe_missing(needs, [*others, *useless]) == describe_missing(needs, others)


def test_an_agent_in_trouble_comes_last_however_idle_it_is() -> None:
    candidates = [agent("broken", closed=False), agent("busy", load=999)]
    assert find_best("job", "ab", candidates) == candidates[1]
    assert find_best("job", "ab", candidates, without={"busy"}) == candidates[0]


def test_jobs_are_spread_over_agents_with_the_same_load() -> None:
    candidates = [agent(f"agent-{n}") for n in range(4)]
    found = [find_best(f"job-{n}", "ab", candidates) for n in range(400)]
    counts = Counter(c.agent_id for c in found if c is not None)
    assert len(counts) == 4
    assert min(counts.values()) > 60


def test_the_words() -> None:
    assert describe_missing("ba", []) == 'no enabled agent has "a", "b"'
    assert describe_missing("abc", [agent("x", "a")]) == 'no enabled agent has "b", "c"'
    assert describe_missing("abc", [agent("x", "c"), agent("y", "ab")]).endswith('the nearest lacks "c"'), "not x"
    agents = [agent("x", "a"), agent("y", "bc"), agent("z", "ab")]
    assert describe_missing("abc", agents) == 'no enabled agent has all of "a", "b", "c": the nearest lacks "a"'
