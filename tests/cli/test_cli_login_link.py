"""A link logs in to the page, and holds no token."""

from support.fake_jobstore import TOKEN


async def test_it_prints_a_link_with_a_code_behind_the_hash(signoff, env, jobstore):
    env["SIGNOFF_HTTP"] = "http://127.0.0.1:8080/"
    ran = await signoff("login-link")
    assert (ran.status, ran.out) == (0, f"http://127.0.0.1:8080/login#{jobstore.login_codes[0]}\n"), ran.err
    assert TOKEN not in ran.out
    ran = await signoff("login-link", "--json")
    assert ran.json == {"link": f"http://127.0.0.1:8080/login#{jobstore.login_codes[1]}"}


async def test_without_the_consoles_address_it_says_how_to_give_one(signoff, jobstore):
    ran = await signoff("login-link")
    assert (ran.status, "--http" in ran.err, jobstore.login_codes) == (2, True, [])
