"""Who asked, as it is stored and published."""

from jobstore.domain.actor import UPSTREAM, name_upstream


def test_an_upstream_is_named_by_its_secret() -> None:
    assert name_upstream("shop-2026") == "upstream:shop-2026" != UPSTREAM
