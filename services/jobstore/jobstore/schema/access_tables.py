"""The tables of who callers are, and of tenants. Of these, tenants alone are facts, which a rebuild brings back."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from jobstore.schema.base import TIME, declare, required

tokens = declare(
    "tokens",
    Column("hash", LargeBinary, primary_key=True, doc="SHA-256 of the token"),
    required("id", Uuid, server_default=func.uuidv7()),
    required("kind", Text, doc="token: made by an administrator; session: begun by its user"),
    required("name", Text, doc="of several tokens while one is rotated"),
    required("actor", Text),
    required("role", Text),
    Column("tenants", ARRAY(Text), doc="none: all"),
    required("hint", Text, doc="its first characters"),
    required("client", Text, server_default="", doc="of a session: where it was begun"),
    Column("maker_hash", LargeBinary, doc="of a session: the token with which it ends"),
    required("created_at", TIME, server_default=func.signoff_now()),
    required("created_by", Text),
    Column("ends_at", TIME),
    Column("revoked_at", TIME),
    Column("last_used_at", TIME),
    required("change", BigInteger, doc="the number of its last change, as jobstores follow them"),
    CheckConstraint("kind IN ('token', 'session')", name="kind"),
    Index("tokens_id_key", "id", unique=True),
    Index("tokens_change_idx", "change"),
    Index("tokens_name_idx", "name", postgresql_where=text("kind = 'token'")),
    Index("tokens_listed_idx", "kind", "created_at", "id"),
    Index("tokens_ended_idx", "ends_at", postgresql_where=text("kind = 'session'")),
)

#: `default` always is, and is no row. No tenant is removed.
tenants = declare(
    "tenants",
    Column("name", Text, primary_key=True),
    Column("title", Text),
    required("created_at", TIME, server_default=func.signoff_now()),
    required("actor", Text),
    Column("renamed_from", Text, doc="its name before 0.3.0, where that does not fit: facts and requests may have it"),
    Index("tenants_renamed_from_key", "renamed_from", unique=True, postgresql_where=text("renamed_from IS NOT NULL")),
)

#: One row, which each change of tokens locks: so that the order of the numbers is that of the commits.
token_changes = declare(
    "token_changes",
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    required("number", BigInteger, server_default="0", doc="of the last change"),
    CheckConstraint("id = 1", name="one"),
)

#: The sign-ins by ID tokens that have made their session, for as long as such a token could be shown again.
sign_ins = declare(
    "sign_ins",
    Column("nonce", LargeBinary, primary_key=True, doc="of the ID token: SHA-256 of the secret of the sign-in"),
    required("ends_at", TIME),
)

#: What callers did and were refused: rows are added, and never changed.
audit = declare(
    "audit",
    Column("id", Uuid, primary_key=True, server_default=func.uuidv7()),
    required("at", TIME, server_default=func.signoff_now()),
    required("actor", Text),
    required("action", Text, doc="the method as a word"),
    required("method", Text, doc="as gRPC calls it; empty for one that does not exist"),
    required("outcome", Text, doc="done or refused"),
    required("code", Text, doc="of the refusal"),
    required("reason", Text, doc="of the refusal, which its answer does not tell"),
    required("name", Text, doc="of what the call was about"),
    Column("tenants", ARRAY(Text), doc="whose it is; none: of the installation"),
    required("count", BigInteger, doc="of refused calls alike, or of things that the call was about"),
    required("address", Text, doc="from where the call came"),
    Index("audit_at_idx", "at", "id"),
    Index("audit_actor_idx", "actor", "at", "id"),
)

#: One-time codes of login links that were not spent.
login_codes = declare(
    "login_codes",
    Column("code_hash", LargeBinary, primary_key=True, doc="SHA-256 of the code"),
    Column("token_mac", LargeBinary, doc="of a jobstore of 0.2.0: HMAC of the token that it is for, under the code"),
    required("ends_at", TIME),
    Column("maker_hash", LargeBinary, doc="of the token that it is for"),
)

#: What each viewer of the inbox has seen and put off.
inboxes = declare(
    "inboxes",
    Column("viewer", Text, primary_key=True, doc="its name, as an actor"),
    required("since", TIME, doc="what happened from then on is shown in this visit: the end of the one before"),
    required("seen_at", TIME, doc="when it looked last"),
    required("snoozed", JSONB, doc="by the id of a group that is put off: until when, and how many it had"),
)
