"""What operators ask for: which dead letters to redrive or to discard."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.fields import Label
from signoff.fields import Model
from signoff.status import LetterOutcome

_Offset = Annotated[int, Field(ge=0, le=2**53)]


class NewResolution(Model):
    """Which open dead letters of a topic to redrive or to discard; all, unless something is given."""

    topic: str = Field(min_length=1, description="that they came from, such as `execute-requested`")
    outcome: LetterOutcome
    reason: Label | None = Field(None, description="why, which is kept beside them")
    code: str | None = Field(None, description="only those with this code")
    from_offset: _Offset | None = Field(None, description="in the dead-letter topic")
    to_offset: _Offset | None = Field(None, description="itself included")
    job_id: str | None = Field(None, description="only those of this job")
    execution_id: UUID | None = Field(None, description="only those of this execution")
    dry_run: bool = Field(False, description="only count them")
