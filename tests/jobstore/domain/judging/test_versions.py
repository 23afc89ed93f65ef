"""What is known of a version, and what a grant says of it."""

import pytest

from jobstore.jobs.model import bound_chars
from jobstore.judging.rules import Version


@pytest.mark.parametrize(("most", "told"), [(None, None), (7, 7), ("7", 7), (2**53, 2**53), (2**53 + 1, 2**53)])
def test_a_grant_says_as_many_characters_as_a_number_of_json_holds(most: int | str | None, told: int | None) -> None:
    assert bound_chars(most) == told
    body = "{}" if most is None else f'{{"result_max_chars":{most}}}'
    assert Version("strict", 3, body, is_retired=False).result_max_chars == told
