"""Who asked, as it is stored and published."""

from jobstore.jobs.model import ADMINISTRATOR, EXECUTOR, SIGNOFF, UPSTREAM, VALIDATOR, WORKER, name_upstream


def test_actors_are_stored_as_these_words_and_an_upstream_by_its_secret() -> None:
    actors = (ADMINISTRATOR, EXECUTOR, VALIDATOR, WORKER, UPSTREAM, SIGNOFF)
    assert actors == ("administrator", "executor", "validator", "worker", "upstream", "signoff")
    assert name_upstream("shop-2026") == "upstream:shop-2026"
