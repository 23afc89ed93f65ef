"""The keys that check facts: where they are found, and printed for whoever has no secret."""

import json

from support.fake_jobstore import TOKEN

from contracts.signing import FactKeys, Secrets, make_secret

OLD, NEW = make_secret("old", b"o" * 32), make_secret("new", b"n" * 32)


def derived(*secrets: str) -> str:
    return str(FactKeys.derive(Secrets.parse(",".join(secrets))))


async def test_the_keys_of_the_secrets_are_printed_and_no_secret_is(signoff, env):
    env["SIGNOFF_SECRETS"] = f"{NEW},{OLD}"
    ran = await signoff("fact-keys")
    assert (ran.status, ran.out) == (0, derived(NEW, OLD) + "\n"), ran.err
    assert (await signoff("fact-keys", "--json")).json == {"fact_keys": derived(NEW, OLD)}
    assert not any(secret.partition(":")[2] in ran.out for secret in (OLD, NEW))


async def test_keys_of_secrets_that_are_gone_stand_behind_those_of_the_secrets_that_are_left(signoff, env, tmp_path):
    """Also where they are in files, and where some are given twice."""
    file = tmp_path / "keys"
    file.write_text(derived(NEW, OLD) + "\n")
    env |= {"SIGNOFF_SECRETS": NEW, "SIGNOFF_FACT_KEYS_FILE": str(file)}
    assert (await signoff("fact-keys")).out.strip() == derived(NEW, OLD)


async def test_the_endpoints_file_has_the_secrets_of_a_local_stack(signoff, tmp_path, env):
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"grpc": "127.0.0.1:1", "secrets": NEW}))
    assert (await signoff("fact-keys", "--endpoints", str(file))).out.strip() == derived(NEW)
    env["SIGNOFF_FACT_KEYS"] = derived(OLD)
    assert (await signoff("fact-keys", "--endpoints", str(file))).out.strip() == derived(OLD)


async def test_without_any_or_with_wrong_ones_it_is_2_and_says_so_and_shows_none(signoff, env):
    ran = await signoff("fact-keys")
    assert (ran.status, ran.out, "SIGNOFF_SECRETS" in ran.err) == (2, "", True)
    env["SIGNOFF_SECRETS"] = "bm90IGEgcGFpcg"
    ran = await signoff("fact-keys", "--json")
    assert (ran.status, "bad_settings" in ran.err, "bm90IGEgcGFpcg" in ran.err) == (2, True, False)
    env |= {"SIGNOFF_SECRETS": NEW, "SIGNOFF_FACT_KEYS": make_secret("new", b"x" * 32)}
    ran = await signoff("fact-keys")
    assert (ran.status, "the same id" in ran.err) == (2, True)


async def test_it_prints_a_link_with_a_code_behind_the_hash(signoff, env, jobstore):
    env["SIGNOFF_HTTP"] = "http://127.0.0.1:8080/"
    ran = await signoff("login-link")
    assert (ran.status, ran.out) == (0, f"http://127.0.0.1:8080/login#{jobstore.login_codes[0]}\n"), ran.err
    assert TOKEN not in ran.out
    ran = await signoff("login-link", "--json")
    assert ran.json == {"link": f"http://127.0.0.1:8080/login#{jobstore.login_codes[1]}"}


async def test_open_prints_it_too_with_the_address_that_the_page_has_for_a_browser(signoff, env, jobstore, tmp_path):
    """Within Compose the console has another one."""
    file = tmp_path / "endpoints.json"
    endpoints = {"grpc": env["SIGNOFF_JOBSTORE"], "token": TOKEN, "http": "http://console:8080"}
    file.write_text(json.dumps(endpoints | {"page": "https://signoff.example"}))
    ran = await signoff("open", "--endpoints", str(file))
    assert (ran.status, ran.out) == (0, f"https://signoff.example/login#{jobstore.login_codes[0]}\n"), ran.err


async def test_a_demo_of_a_system_elsewhere_starts_none_of_its_own(signoff):
    ran = await signoff("demo", "--jobstore", "127.0.0.1:1", "--token", TOKEN)
    assert (ran.status, ran.out) == (4, "")
    assert "127.0.0.1:1 does not serve" in ran.err


async def test_without_the_consoles_address_it_says_how_to_give_one(signoff, jobstore):
    ran = await signoff("login-link")
    assert (ran.status, "--http" in ran.err, jobstore.login_codes) == (2, True, [])
