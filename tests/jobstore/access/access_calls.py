"""Calls of a client that must fail."""

from typing import Any

import pytest

from signoff import SignoffError


async def refused(call: Any) -> str:
    """The code of a call that must fail."""
    with pytest.raises(SignoffError) as error:
        await call
    return error.value.code
