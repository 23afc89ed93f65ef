"""Commands call the jobstore by TLS, where a CA is named by an option, a variable, a profile or the endpoints file."""

import json
from pathlib import Path

import pytest
from support.certificates import Authority
from support.fake_jobstore import Server

from signoff.tls import Tls

pytestmark = pytest.mark.usefixtures("ca")


@pytest.fixture
async def ca(jobstore_server: Server, tmp_path: Path) -> None:
    """The authority of the jobstore, which asks for a certificate of it, too."""
    made = Authority(tmp_path)
    await jobstore_server.stop()
    jobstore_server.tls = Tls(made.file, *made.issue("server"))
    await jobstore_server.start()
    made.issue("mine")


MINE = ("--jobstore-certificate", "mine.pem", "--jobstore-key", "mine-key.pem")


async def test_the_files_are_options_and_variables(signoff, env):
    ran = await signoff("jobs", "list", "--jobstore-ca", "ca.pem", *MINE)
    assert ran.status == 0, ran.err
    files = {"CA": "ca.pem", "CERTIFICATE": "mine.pem", "KEY": "mine-key.pem"}
    env |= {f"SIGNOFF_JOBSTORE_{name}": file for name, file in files.items()}
    assert (await signoff("jobs", "list")).status == 0


async def test_a_profile_has_the_files_by_which_one_signed_in(signoff, env, tmp_path, monkeypatch):
    ran = await signoff("login", "--jobstore-ca", "ca.pem", *MINE, "--token", stdin=env["SIGNOFF_TOKEN"])
    assert ran.status == 0, ran.err
    env["SIGNOFF_JOBSTORE"] = env["SIGNOFF_TOKEN"] = None
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert (await signoff("jobs", "list")).status == 0


async def test_a_command_says_what_to_do_where_trust_is_missing(signoff, tmp_path):
    Authority(tmp_path, "other")
    ran = await signoff("jobs", "list", "--jobstore-ca", "other.pem", "--json")
    assert (ran.status, json.loads(ran.err)["code"]) == (4, "tls_refused")
    assert "name the file of its CA" in ran.err
    ran = await signoff("jobs", "list", "--jobstore-ca", "missing.pem", "--json")
    assert (ran.status, json.loads(ran.err)["code"]) == (2, "unreadable")
    ran = await signoff("jobs", "list")
    assert (ran.status, "SIGNOFF_JOBSTORE_CA" in ran.err) == (4, True)


async def test_doctor_names_trust_that_is_missing(signoff, tmp_path):
    Authority(tmp_path, "other")
    for options, advice in (("other.pem", *MINE), "name the file of its CA"), (("ca.pem",), "give SIGNOFF_JOBSTORE_CA"):
        checks = (await signoff("doctor", "--json", "--jobstore-ca", *options)).json["checks"]
        (wrong,) = [check for check in checks if check["part"] == "jobstore"]
        assert (wrong["ok"], "is not trusted" in wrong["found"], advice in wrong["remedy"]) == (False, True, True)
    checks = (await signoff("doctor", "--json", "--jobstore-ca", "ca.pem", *MINE)).json["checks"]
    assert [check["ok"] for check in checks if check["part"] == "jobstore"] == [True]
