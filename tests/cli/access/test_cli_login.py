"""One signs in, and later commands go on with the session, at its own jobstore alone, until one signs out."""

import json
import os
import stat
from pathlib import Path

import pytest
from support.real_console import TOKEN

from signoff import AsyncClient, SignoffError

USED = ("SIGNOFF_JOBSTORE", "SIGNOFF_TOKEN")


@pytest.fixture
async def eve(client: AsyncClient) -> str:
    for tenant in ("press", "web"):
        await client.create_tenant(name=tenant)
    made = await client.create_token(name="eve", role="viewer", tenants=["press", "web"])
    return made.secret


async def test_one_signs_in_by_a_token_and_later_commands_go_on_as_its_holder(signoff, env, eve, address, file):
    env["SIGNOFF_TOKEN"] = None
    ran = await signoff("login", "--token", stdin=f"{eve}\n")
    assert (ran.status, "eve, viewer of press, web" in ran.out) == (0, True), ran.err
    env["SIGNOFF_JOBSTORE"] = None
    who = (await signoff("whoami", "--json")).json
    assert (who["caller"]["name"], who["jobstore"], who["profile"]) == ("eve", address, address)
    assert who["credential"] == f"the session of the profile {address}"
    assert "session_id" in who["caller"]
    assert eve not in file.read_text(), "what is kept is a session"


async def test_what_is_kept_is_for_its_owner_alone(signoff, env, eve, file):
    env["SIGNOFF_TOKEN"] = None
    assert (await signoff("login", "--token", stdin=eve)).status == 0
    assert [stat.S_IMODE(each.stat().st_mode) for each in (file.parent, file)] == [0o700, 0o600]
    file.chmod(0o640)
    ran = await signoff("whoami", "--json")
    assert (ran.status, json.loads(ran.err)["code"]) == (2, "profiles_unreadable")


async def test_a_session_is_sent_to_no_other_jobstore(signoff, env, eve, address):
    env["SIGNOFF_TOKEN"] = None
    assert (await signoff("login", "--token", "--profile", "prod", stdin=eve)).status == 0
    other = address.replace("127.0.0.1", "localhost")
    ran = await signoff("whoami", "--jobstore", other)
    assert (ran.status, "signoff login" in ran.err) == (3, True)
    ran = await signoff("whoami", "--jobstore", other, "--profile", "prod", "--json")
    assert (ran.status, json.loads(ran.err)["code"]) == (2, "profile_for_another")


async def test_a_token_that_is_given_goes_before_the_profile(signoff, env, eve, tmp_path):
    ran = await signoff("login", "--token", stdin=eve)
    assert "SIGNOFF_TOKEN is set" in ran.err
    assert (await signoff("whoami", "--json")).json["credential"] == "SIGNOFF_TOKEN"
    env["SIGNOFF_TOKEN"] = None
    (tmp_path / "token").write_text(TOKEN)
    who = (await signoff("whoami", "--token-file", "token", "--json")).json
    assert (who["caller"]["name"], who["credential"]) == ("bootstrap", "token")
    assert (await signoff("whoami", "--json")).json["caller"]["name"] == "eve"


async def test_signing_out_ends_the_session_everywhere(signoff, env, eve, file, client: AsyncClient):
    env["SIGNOFF_TOKEN"] = None
    await signoff("login", "--token", stdin=eve)
    (kept,) = json.loads(file.read_text()).values()
    assert (await signoff("logout")).status == 0
    with pytest.raises(SignoffError):
        await client.with_token(kept["token"]).get_caller()
    assert kept["token"] not in file.read_text()
    ran = await signoff("whoami")
    assert (ran.status, "signoff login" in ran.err) == (3, True)
    assert (await signoff("logout", "--json")).json == {"signed_out": False}


async def test_signing_in_again_ends_the_session_before(signoff, env, eve, file, client: AsyncClient):
    env["SIGNOFF_TOKEN"] = None
    await signoff("login", "--token", stdin=eve)
    (kept,) = json.loads(file.read_text()).values()
    assert (await signoff("login", "--token", "--lasts", "1h", stdin=eve)).status == 0
    with pytest.raises(SignoffError):
        await client.with_token(kept["token"]).get_caller()
    assert len((await client.list_sessions())[0]) == 1


async def test_a_session_that_was_ended_elsewhere_says_how_to_sign_in_and_is_forgotten(signoff, env, eve, client):
    env["SIGNOFF_TOKEN"] = None
    await signoff("login", "--token", stdin=eve)
    await client.revoke_token("eve")
    ran = await signoff("jobs", "list")
    assert (ran.status, "the session of the profile" in ran.err, "signoff login" in ran.err) == (3, True, True)
    assert (await signoff("logout")).status == 0


@pytest.mark.parametrize("given", ["", "\n", "sgn_unknown"])
async def test_nobody_is_signed_in_without_a_known_token(signoff, env, file, given):
    env["SIGNOFF_TOKEN"] = None
    ran = await signoff("login", "--token", stdin=given)
    assert (ran.status, file.exists()) == (3, False)


@pytest.mark.parametrize("words", [["--token"], ["--token-file", "kept"]], ids=" ".join)
async def test_a_mistyped_token_is_told_and_sent_nowhere(signoff, eve, client: AsyncClient, tmp_path, words):
    mistyped, before = eve[:-1], await client.list_audit(filter={"outcomes": ["refused"]})
    (tmp_path / "kept").write_text(mistyped)
    ran = await signoff("login", *words, stdin=mistyped)
    given_by = "kept" if "kept" in words else "standard input"
    assert (ran.status, f"the token of {given_by} has a wrong character" in ran.err) == (3, True)
    assert await client.list_audit(filter={"outcomes": ["refused"]}) == before


async def test_a_token_that_is_piped_goes_to_no_jobstore_that_only_a_folder_names(signoff, env, eve, address, tmp_path):
    env |= {"SIGNOFF_TOKEN": None, "SIGNOFF_JOBSTORE": None}
    found = tmp_path / ".signoff/endpoints.json"
    found.parent.mkdir()
    found.write_text(json.dumps({"grpc": address, "token": TOKEN}))
    ran = await signoff("login", "--token", "--json", stdin=eve)
    assert (ran.status, json.loads(ran.err)["code"]) == (2, "token_for_another")
    assert (await signoff("whoami", "--json")).json["credential"] == str(found)
    assert (await signoff("login", "--token", "--jobstore", address, stdin=eve)).status == 0
    assert (await signoff("whoami", "--json")).json["caller"]["name"] == "eve"


async def test_profiles_are_listed_used_and_removed_and_show_no_token(signoff, env, eve):
    env["SIGNOFF_TOKEN"] = None
    assert (await signoff("login", "--token", "--profile", "eve", stdin=eve)).status == 0
    assert (await signoff("login", "--token", "--profile", "root", stdin=TOKEN)).status == 0
    env["SIGNOFF_JOBSTORE"] = None
    assert (await signoff("whoami", "--json")).json["profile"] == "root"
    assert (await signoff("whoami", "--profile", "eve", "--json")).json["caller"]["name"] == "eve"
    env["SIGNOFF_PROFILE"] = "eve"
    assert (await signoff("whoami", "--json")).json["caller"]["name"] == "eve"
    env["SIGNOFF_PROFILE"] = None
    assert (await signoff("profiles", "use", "eve")).status == 0
    ran = await signoff("profiles", "--json")
    assert [(each["name"], each["user"], each["used"]) for each in ran.json["items"]] == [
        *(("root", "bootstrap", False), ("eve", "eve", True))
    ]
    assert "sgn_" not in ran.out
    assert (await signoff("profiles", "remove", "eve")).status == 0
    ran = await signoff("whoami", "--profile", "eve", "--json")
    assert (ran.status, json.loads(ran.err)["code"]) == (2, "unknown_profile")
    assert "* " in (await signoff("profiles")).out


async def test_a_file_of_profiles_that_is_broken_is_2_and_stays(signoff, file):
    file.parent.mkdir(parents=True)
    file.write_text("{")
    file.chmod(0o600)
    ran = await signoff("profiles", "--json")
    assert (ran.status, json.loads(ran.err)["code"], file.read_text()) == (2, "profiles_unreadable", "{")


async def test_a_user_without_a_home_uses_a_token_and_keeps_none(signoff, env, eve, monkeypatch):
    env["XDG_CONFIG_HOME"] = "not/absolute"
    monkeypatch.setattr(Path, "home", no_home)
    assert (await signoff("whoami", "--json")).json["caller"]["name"] == "bootstrap"
    ran = await signoff("login", "--token", "--json", stdin=eve)
    assert (ran.status, json.loads(ran.err.splitlines()[-1])["code"]) == (2, "unwritable")


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


async def test_whoami_shows_it_to_people(signoff, env, eve):
    ran = await signoff("whoami")
    assert all(words in ran.out for words in ("bootstrap", "administrator", "all tenants", "never", "SIGNOFF_TOKEN"))
    env["SIGNOFF_TOKEN"] = eve
    assert "press, web" in (await signoff("whoami")).out
    assert os.environ.get("SIGNOFF_TOKEN") != eve


async def test_an_option_goes_before_a_variable_a_profile_and_the_stack_of_this_folder(
    signoff, env, eve, address, tmp_path
):
    env |= {"SIGNOFF_TOKEN": None, "SIGNOFF_JOBSTORE": None}
    assert (await signoff("login", "--token", "--profile", "mine", "--url", address, stdin=eve)).status == 0
    assert (await signoff("login", "--token", "--profile", "root", "--url", address, stdin=TOKEN)).status == 0
    nowhere = "127.0.0.1:1"
    found = tmp_path / ".signoff/endpoints.json"
    found.parent.mkdir()
    found.write_text(json.dumps({"grpc": nowhere, "token": "of the folder"}))

    async def find(*words: str) -> tuple[int, str]:
        ran = await signoff("whoami", *words, "--json")
        return ran.status, "" if ran.status else ran.json["caller"]["name"]

    assert await find() == (4, ""), "the folder's stack, where nothing is named"
    env["SIGNOFF_PROFILE"] = "mine"
    assert await find() == (0, "eve"), "a profile that is named"
    assert await find("--profile", "root") == (0, "bootstrap"), "an option before a variable"
    env |= {"SIGNOFF_TOKEN": TOKEN, "SIGNOFF_JOBSTORE": address}
    assert await find() == (0, "bootstrap"), "a variable before a profile"
    assert await find("--token", eve) == (0, "eve"), "an option before a variable"


async def test_the_address_of_the_console_is_not_taken_for_the_jobstores(signoff):
    ran = await signoff("login", "--url", "http://127.0.0.1:8080", "-o", "json")
    assert (ran.status, "--http" in json.loads(ran.err)["detail"]) == (2, True)
