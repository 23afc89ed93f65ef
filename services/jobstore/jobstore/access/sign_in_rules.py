"""Read the file of rules that turn the claims of an ID token into a role and tenants."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from contracts.fields import TenantName
from signoff.status import Role

#: The roles of people: those of services have tokens.
PEOPLE: Final = (Role.VIEWER, Role.OPERATOR, Role.REVIEWER, Role.ADMINISTRATOR)
_HEADING: Final = re.compile(r"\s*\[\[\s*rule\s*\]\]")


class Rule(BaseModel):
    """A rule: who has all these claims has the role in the tenants, or in all."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    claims: dict[str, object]
    role: Annotated[Role, Field(strict=False)]
    tenants: Literal["all"] | Annotated[list[TenantName], Field(min_length=1)]

    @field_validator("claims")
    @classmethod
    def _check_claims(cls, claims: dict[str, object]) -> dict[str, object]:
        if not _is_wanted(claims):
            raise ValueError(
                "each is a text, a whole number, true or false, a list of these, or a table of such claims"
            )
        return claims

    @field_validator("role")
    @classmethod
    def _check_role(cls, role: Role) -> Role:
        if role not in PEOPLE:
            raise ValueError(f"is for a token; people have one of {', '.join(PEOPLE)}")
        return role

    def matches(self, claims: Mapping[str, object]) -> bool:
        """Return whether the claims have all that the rule wants.

        An address counts only if the provider says that it is verified: else anybody may have entered it there.
        """
        if "email" in self.claims and claims.get("email_verified") is not True:
            return False
        return _has(claims, self.claims)


@dataclass(frozen=True, slots=True)
class Grant:
    """What rules give: a role, in tenants, or in all (None)."""

    role: Role
    tenants: frozenset[str] | None


class SignInRules:
    """The rules, in the order of the file."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules

    @classmethod
    def parse(cls, text: str) -> "SignInRules":
        """Parse a file of rules. ValueError, with the line: it is malformed, or has none."""
        try:
            given = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(str(error)) from None  # which names the line
        rules = given.pop("rule", None)
        lines = [number for number, line in enumerate(text.splitlines(), 1) if _HEADING.match(line)]
        if given or not isinstance(rules, list) or not rules or len(rules) != len(lines):
            raise ValueError("line 1: has tables [[rule]], one or more, and nothing else")
        return cls([_parse(rule, line) for rule, line in zip(rules, lines, strict=True)])

    def find_grant(self, claims: Mapping[str, object]) -> Grant | None:
        """Return what the rules give to a person with these claims; None: nothing.

        The first rule that matches gives the role. Others that match add their tenants if they give the same role: so
        nobody has in a tenant what no rule gives there.
        """
        matching = [rule for rule in self._rules if rule.matches(claims)]
        if not matching:
            return None
        role = matching[0].role
        tenants = [rule.tenants for rule in matching if rule.role is role]
        if "all" in tenants:
            return Grant(role, None)
        return Grant(role, frozenset(name for names in tenants for name in names))


def _parse(rule: object, line: int) -> Rule:
    try:
        return Rule.model_validate(rule)
    except ValidationError as error:
        first, *_ = error.errors()
        raise ValueError(f"line {line}: {first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None


def _is_wanted(value: object) -> bool:
    """Return whether a value is what a claim may be compared with; a table, as one of claims, has one at least."""
    if isinstance(value, dict):
        return bool(value) and all(map(_is_wanted, value.values()))
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(each, (str, int)) for each in values)


def _has(claim: object, wanted: object) -> bool:
    """Return whether a claim, or one of its values if it is a list, is what is wanted, or one of several."""
    if isinstance(wanted, dict):
        return isinstance(claim, dict) and all(_has(claim.get(name), value) for name, value in wanted.items())
    values = wanted if isinstance(wanted, list) else [wanted]
    claims = claim if isinstance(claim, list) else [claim]
    return any(type(each) is type(value) and each == value for each in claims for value in values)
