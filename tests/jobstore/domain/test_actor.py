"""Who asked, as it is stored and published."""

from jobstore.jobs.model import BOOTSTRAP, EXECUTOR, SIGNOFF, UPSTREAM, VALIDATOR, WORKER


def test_actors_are_stored_as_these_words() -> None:
    actors = (BOOTSTRAP, EXECUTOR, VALIDATOR, WORKER, UPSTREAM, SIGNOFF)
    assert actors == ("token:bootstrap", "executor", "validator", "worker", "upstream", "signoff")
