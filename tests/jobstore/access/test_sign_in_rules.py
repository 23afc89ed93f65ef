"""Rules turn what a provider says of a person into a role and tenants, and nothing into nothing."""

import re
from pathlib import Path

import pytest

from jobstore.access.sign_in_rules import Grant, SignInRules
from signoff.status import Role

RULES = """
[[rule]]
claims = { groups = "signoff-admins" }
role = "administrator"
tenants = "all"

[[rule]]
claims = { groups = ["press", "press-interns"] }
role = "operator"
tenants = ["press"]

[[rule]]
claims = { realm_access = { roles = "lab" } }
role = "operator"
tenants = ["lab"]

[[rule]]
claims = { groups = "readers", hd = "example.com" }
role = "viewer"
tenants = ["press", "lab", "sales"]

[[rule]]
claims = { email = "eve@example.com" }
role = "reviewer"
tenants = ["sales"]
"""
VERIFIED = {"email": "eve@example.com", "email_verified": True}


@pytest.mark.parametrize(
    ("claims", "grant"),
    [
        ({"groups": ["x", "signoff-admins", "press"]}, Grant(Role.ADMINISTRATOR, None)),
        ({"groups": ["press"]}, Grant(Role.OPERATOR, frozenset({"press"}))),
        ({"groups": "press-interns"}, Grant(Role.OPERATOR, frozenset({"press"}))),
        ({"realm_access": {"roles": ["a", "lab"]}}, Grant(Role.OPERATOR, frozenset({"lab"}))),
        (VERIFIED, Grant(Role.REVIEWER, frozenset({"sales"}))),
        (
            {"groups": ["readers"], "hd": "example.com"},
            Grant(Role.VIEWER, frozenset({"press", "lab", "sales"})),
        ),
    ],
)
def test_who_has_all_claims_of_a_rule_has_what_it_gives(claims, grant):
    assert SignInRules.parse(RULES).find_grant(claims) == grant


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"groups": []},
        {"groups": ["Press", "press ", "pres", "press-interns-2"]},
        {"groups": {"press": True}},
        {"groups": [["press"]]},
        {"groups": ["readers"]},
        {"hd": "example.com"},
        {"realm_access": ["lab"]},
        {"realm_access": {"roles": {"lab": 1}}},
        {"roles": ["lab"], "realm_access.roles": ["lab"]},
        {"email": "eve@example.com"},
        {**VERIFIED, "email_verified": "true"},
    ],
)
def test_a_rule_that_matches_nothing_gives_nothing(claims):
    assert SignInRules.parse(RULES).find_grant(claims) is None


def test_rules_of_one_role_add_their_tenants_and_those_of_another_do_not():
    """A viewer of sales who operates press does not operate sales."""
    claims = {"groups": ["press", "readers"], "hd": "example.com", "realm_access": {"roles": ["lab"]}, **VERIFIED}
    assert SignInRules.parse(RULES).find_grant(claims) == Grant(Role.OPERATOR, frozenset({"press", "lab"}))


@pytest.mark.parametrize("claim", [1, "1", 1.0, True])
def test_a_claim_is_of_the_kind_that_the_rule_says(claim):
    rules = SignInRules.parse('[[rule]]\nclaims = { level = 1 }\nrole = "viewer"\ntenants = "all"')
    assert (rules.find_grant({"level": claim}) is not None) == (claim is not True and isinstance(claim, int))


RULE = '[[rule]]\nclaims = { groups = "a" }\nrole = "viewer"\ntenants = ["press"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: has tables"),
        ("rule = 1", "line 1: has tables"),
        ("rule = [1]", "line 1: has tables"),
        (f"rule = [{{ {', '.join(RULE.splitlines()[1:])} }}]", "line 1: has tables"),
        ("rules = []\n" + RULE, "line 1: has tables"),
        (RULE + "\n[[rule]\n", "line 6"),
        (RULE + RULE.replace('"viewer"', '"admin"'), "line 5: role: "),
        (RULE + "\n" + RULE.replace('"viewer"', '"console"'), "line 6: role: is for a token"),
        (RULE.replace('["press"]', "[]"), "line 1: tenants: "),
        (RULE.replace('["press"]', '["Press"]'), "line 1: tenants: "),
        (RULE.replace('["press"]', '"press"'), "line 1: tenants: "),
        (RULE.replace('{ groups = "a" }', "{}"), "line 1: claims: "),
        (RULE.replace('{ groups = "a" }', "{ groups = [] }"), "line 1: claims: "),
        (RULE.replace('{ groups = "a" }', "{ groups = 1.5 }"), "line 1: claims: each is a text"),
        (RULE.replace('{ groups = "a" }', "{ groups = [1.5] }"), "line 1: claims: "),
        (RULE.replace('{ groups = "a" }', "{ groups = {} }"), "line 1: claims: "),
        (RULE.replace('{ groups = "a" }', "{ groups = { a = 1979-05-27 } }"), "line 1: claims: "),
        (RULE.replace('{ groups = "a" }', "7"), "line 1: claims: "),
        (RULE + "tenant = 1", "line 1: tenant: "),
        (RULE.replace('role = "viewer"\n', ""), "line 1: role: "),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_line(text, message):
    with pytest.raises(ValueError, match=message):
        SignInRules.parse(text)


def test_the_rules_of_the_page_for_operators_do_what_it_says():
    page = (Path(__file__).parents[3] / "docs/operations/sign-in.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    rules = SignInRules.parse(example)
    reader = {"resource_access": {"signoff": {"roles": ["reader"]}}, "email_verified": True}
    assert rules.find_grant({"groups": ["press", "lab"]}) == Grant(Role.OPERATOR, frozenset({"press", "lab"}))
    assert rules.find_grant({"groups": ["press"], **reader}) == Grant(Role.OPERATOR, frozenset({"press"}))
    assert rules.find_grant(reader) == Grant(Role.VIEWER, frozenset({"press", "lab"}))
    assert rules.find_grant({"groups": ["signoff-admins"]}) == Grant(Role.ADMINISTRATOR, None)
