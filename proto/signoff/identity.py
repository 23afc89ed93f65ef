"""What the jobstore answers about callers, tokens and sessions."""

from pydantic import Field

from signoff.fields import Model, Open, Time, optional
from signoff.status import AuditOutcome, Role


class _Holder(Model):
    """Who holds a credential, and what it allows."""

    name: str = Field(description="of the token, or what the provider calls the user")
    role: Open[Role]
    tenants: list[str] = Field(default_factory=list, description="whose things it may read and change")
    all_tenants: bool = Field(default=False, description="all tenants, in place of `tenants`")
    ends_at: Time | None = optional("when it ends, if it does")


class Caller(_Holder):
    """Who calls, by the credential of the call."""

    actor: str = Field(description="as it stands in logs: `token:<name>` or `user:<subject>`")
    session_id: str | None = optional("of the session, if the credential is one")


class Tenant(Model):
    """A registered tenant."""

    name: str
    title: str | None = optional("what people call it")
    created_at: Time | None = optional("of `default`, which always is, there is none")
    created_by: str | None = optional("who registered it")
    renamed_from: str | None = optional("its name in releases before 0.3.0, if it had another")


class AccessToken(_Holder):
    """A token, without its text."""

    id: str
    hint: str = Field(description="its first characters")
    created_at: Time
    created_by: str
    revoked_at: Time | None = optional("when it was revoked")
    last_used_at: Time | None = optional("to the minute")


class Session(_Holder):
    """A session: a token that its user began by signing in."""

    id: str
    actor: str
    client: str = Field("", description="where it was begun, such as `console` or `cli`")
    created_at: Time
    last_used_at: Time | None = optional("to the minute")


class AuditEntry(Model):
    """What a caller did or was refused, at a moment."""

    id: str
    at: Time
    actor: str = Field(description="`token:<name>` or `user:<subject>`; `nobody` without a credential that is known")
    action: str = Field(description="the method as a word, such as `create_token`")
    method: str = Field("", description="the method as gRPC calls it")
    outcome: Open[AuditOutcome]
    code: str = Field("", description="of the error with which the call was refused")
    reason: str = Field(
        "",
        description="why: `none`, `unknown`, `ended` or `revoked`, of the credential; `role`, `tenant` or `method`, of "
        "what it allows",
    )
    name: str = Field("", description="what it was about: a token, a limit, a job, a session or a topic")
    tenants: list[str] = Field(default_factory=list, description="whose it was")
    all_tenants: bool = Field(default=False, description="it was of the whole installation")
    count: int = Field(1, description="of refused calls alike, or of the things that the call was about")
    address: str = Field("", description="from where the call's connection came")
