"""Who asked, as it is stored and published."""

from jobstore.jobs.model import ADMINISTRATOR, EXECUTOR, SIGNOFF, UPSTREAM, VALIDATOR, WORKER


def test_actors_are_stored_as_these_words() -> None:
    actors = (ADMINISTRATOR, EXECUTOR, VALIDATOR, WORKER, UPSTREAM, SIGNOFF)
    assert actors == ("administrator", "executor", "validator", "worker", "upstream", "signoff")
