"""At the REST doors another tenant's things are as if they never were, whoever asked before; and bad tenants are told.

Each operation of the document is asked: for what is there, by callers of another tenant, and for what never was.
"""

import json
import re
from uuid import uuid4

import aiohttp
import pytest

#: It stands in all that belongs to the tenant film.
CANARY = "kanarienvogel"
ABSENT = "absent-und-nie-da"
CASES = "\n".join(
    json.dumps({"id": str(label), "acceptance_criteria": "Is blue", "result": f"blue {label}", "label": label})
    for label in (True, False)
)
POLICY = {"stages": [{"kind": "single", "judges": [{"model": "m"}]}]}
NEW = {
    "/api/jobs": {"title": "x", "acceptance_criteria": "x"},
    "/api/agents": {"name": "x", "url": "http://x/"},
}
JOB = {"acceptance_criteria": f"It rhymes on {CANARY}", "labels": {CANARY: CANARY}}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def find_body(operation_id, things):
    """Return a body that is well formed; a judge policy names itself, too."""
    if operation_id == "put_judge_policy":
        return {"policy": {"name": things["/api/judges"], **POLICY}}
    return BODIES.get(operation_id)


async def ask(http, method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.request(method, path, json=body, headers=headers) as answer:
        return answer.status, await answer.text()


async def put(http, method, path, body=None):
    status, text = await ask(http, method, path, body)
    assert status < 300, (method, path, text)
    return json.loads(text) if text else None


@pytest.fixture(scope="module")
async def tokens(real):
    """Tokens by their names: administrators of each tenant, and a viewer and an operator of press."""
    for tenant in ("press", "film"):
        await real.client.create_tenant(name=tenant)
    asked = {
        "film": ("administrator", ["film"]),
        "press": ("administrator", ["press"]),
        "press-viewer": ("viewer", ["press"]),
        "both": ("operator", ["press", "film"]),
    }
    return {
        name: (
            await real.client.create_token(
                name=f"{CANARY if name == 'film' else 'of'}-{name}", role=role, tenants=tenants
            )
        ).secret
        for name, (role, tenants) in asked.items()
    }


def session_of(name):
    @pytest.fixture
    async def session(real, tokens):
        async with aiohttp.ClientSession(real.url, headers=bearer(tokens[name])) as session:
            yield session

    return session


press, viewer, film = (session_of(name) for name in ("press", "press-viewer", "film"))


@pytest.fixture(scope="module")
async def things(real, tokens):
    """What the tenant film has, by the names of parameters of addresses."""
    async with aiohttp.ClientSession(real.url, headers=bearer(tokens["film"])) as http:
        agent = {"id": f"film:{CANARY}", "name": CANARY, "url": f"http://{CANARY}/"}
        await put(http, "POST", "/api/agents", agent)
        tried = await put(http, "POST", f"/api/agents/film:{CANARY}/tries", {"payload": CANARY})
        job = {"id": f"film:{CANARY}", "title": CANARY, "agent_id": f"film:{CANARY}", **JOB}
        await put(http, "POST", "/api/jobs", job)
        execution = await put(http, "POST", f"/api/jobs/film:{CANARY}/execute", {})
        await put(http, "PATCH", "/api/limits/tenant:film", {"concurrency": 7})
        await put(http, "PATCH", f"/api/limits/agent:film:{CANARY}", {"rate": 3})
        await put(http, "PATCH", "/api/retentions/tenant:film", {"completed_s": 86_400})
        policy = f"film.{CANARY}"
        await put(http, "PUT", f"/api/judges/{policy}", {"policy": {"name": policy, **POLICY}})
        await put(http, "PUT", f"/api/judges/{policy}/golden-set", {"cases_jsonl": CASES})
        await put(http, "PUT", f"/api/criteria-sets/{policy}", {"criteria": [{"text": CANARY}]})
        batch = await put(
            http,
            "POST",
            "/api/batches",
            {"name": CANARY, "jobs": [{"title": CANARY, **JOB, "agent_id": f"film:{CANARY}"}]},
        )
        judged = await put(http, "POST", "/api/judgings", {"cases": [{"result": CANARY, "acceptance_criteria": "x"}]})
        session = await real.client.with_token(tokens["film"]).create_session(CANARY)
        await put(http, "POST", "/api/tokens", {"name": f"{CANARY}-2", "role": "viewer", "tenants": ["film"]})
    return {
        "job_id": f"film:{CANARY}",
        "agent_id": f"film:{CANARY}",
        "try_id": tried["id"],
        "execution_id": execution["id"],
        "operation_id": batch["id"],
        "judgings_id": judged["id"],
        "session_id": str(session.session.id),
        "tenant": "film",
        "version": "1",
        "/api/limits": "tenant:film",
        "/api/retentions": "tenant:film",
        "/api/judges": policy,
        "/api/criteria-sets": policy,
        "/api/tokens": f"{CANARY}-2",
    }


@pytest.fixture(scope="module")
async def operations(real):
    async with aiohttp.ClientSession(real.url) as http, http.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    return [(m.upper(), path, each) for path, methods in paths.items() for m, each in methods.items()]


def fill(path, things):
    """Return an address with the ids of things in place of its parameters."""
    folder = re.match(r"/api/[a-z-]+", path)[0]
    return re.sub(r"\{(\w+)\}", lambda found: things[folder if found[1] == "name" else found[1]], path)


def forget(things):
    """Return ids of the same forms of what never was."""
    return {
        name: "1" if name == "version" else str(uuid4()) if len(each) == 36 and each.count("-") == 4
        else "nowhere" if name == "tenant" else each.replace("film", "nowhere").replace(CANARY, ABSENT)
        for name, each in things.items()
    }  # fmt: skip


#: What a list has besides of things of all: bodies that a write needs to be well formed.
BODIES = {
    "edit_job": {"title": "mine"},
    "assign_job": {"agent_id": "x"},
    "update_agent": {"name": "x", "url": "http://x/"},
    "patch_agent": {"name": "x"},
    "set_limit": {"concurrency": 1},
    "patch_limit": {"concurrency": 1},
    "set_retention": {"completed_s": 86_400},
    "patch_retention": {"completed_s": 86_400},
    "promote_judge_policy": {"version": 1, "force_reason": "x"},
    "put_golden_set": {"cases_jsonl": CASES},
    "put_criteria_set": {"criteria": [{"text": "x"}]},
    "create_agent_try": {"payload": "x"},
}


@pytest.mark.usefixtures("things")
async def test_no_list_count_or_stream_tells_of_another_tenant(operations, press, viewer, film):
    queries = {
        "/api/job-facets": ["field=agent", "field=tenant", f"field=label:{CANARY}", "field=label"],
        "/api/jobs": ["", f"text={CANARY}", "tenant=film", f"agent_id=film:{CANARY}", f"label={CANARY}:{CANARY}"],
        "/api/job-counts": ["", f"text={CANARY}", "tenant=film"],
        "/api/tokens": ["", "include_ended=true"],
    }
    own, told = 0, []
    for method, path, _ in operations:
        if method != "GET" or "{" in path or path.endswith("events") or path == "/api/dead-letters":
            continue
        for query in queries.get(path, [""]):
            for http in (film, press, viewer, film):  # an answer that is kept for one would be told to the next
                status, text = await ask(http, "GET", f"{path}?{query}")
                assert status in {200, 403}, (path, text)
                if http is film:
                    own += CANARY in text
                elif CANARY in text or '"film' in text:
                    told.append((path, query, text))
    assert told == []
    assert own > 20, "lists of one's own things have them"


@pytest.mark.usefixtures("things")
async def test_counts_are_of_ones_own(press, film):
    for path, of_press in (("/api/job-counts", {}), ("/api/job-counts?tenant=film", {})):
        assert json.loads((await ask(press, "GET", path))[1])["counts"] == of_press
    assert sum(json.loads((await ask(film, "GET", "/api/job-counts"))[1])["counts"].values()) == 2
    now = {
        name: json.loads((await ask(http, "GET", "/api/overview"))[1])["now"]
        for name, http in (("f", film), ("p", press))
    }
    assert (now["f"]["queued"], now["p"]["queued"]) == (2, 0)


async def test_what_is_anothers_is_answered_as_what_never_was(things, operations, press):
    absent, differing, asked = forget(things), [], 0
    for method, path, operation in operations:
        if "{" not in path:
            continue
        if operation["operationId"] == "cancel_execution":
            continue  # an id that nobody has is noted; that one is taken is all that is told
        foreign, never = [
            await ask(press, method, fill(path, each), find_body(operation["operationId"], each))
            for each in (things, absent)
        ]
        asked += 1
        told = foreign[1]
        for name, each in things.items():
            told = told.replace(each, absent[name]) if name not in {"version", "tenant"} else told
        told = re.sub(r"\bfilm\b", "nowhere", told)
        answers = [re.sub(r'"request_id":"\w+"', "", each) for each in (told, never[1])]
        if (foreign[0], answers[0]) != (never[0], answers[1]) or foreign[0] < 400:
            differing.append(f"{method} {path}: {foreign} {never}")
    assert not differing, "\n".join(differing)
    assert asked > 40


@pytest.mark.usefixtures("things")
async def test_what_one_tenant_asked_for_before_is_no_answer_to_another(press, film):
    """As entity tags, and as pages of a list."""
    status, text = await ask(film, "GET", f"/api/jobs/film:{CANARY}")
    assert status == 200
    tag = f'"{json.loads(text)["version"]}"'
    assert (await ask(film, "GET", f"/api/jobs/film:{CANARY}", If_None_Match=tag))[0] == 304
    for known in (tag, "*"):
        assert (await ask(press, "GET", f"/api/jobs/film:{CANARY}", If_None_Match=known))[0] == 404
    following = json.loads((await ask(film, "GET", "/api/jobs?page_size=1"))[1])["next_page_token"]
    status, text = await ask(press, "GET", f"/api/jobs?page_size=1&page_token={following}")
    assert CANARY not in text


@pytest.mark.parametrize(
    ("who", "body", "code"),
    [
        ("both", {}, "tenant_needed"),
        ("press", {"tenant": "nowhere"}, "unknown_tenant"),
        ("press", {"tenant": "film"}, "unknown_tenant"),
        ("press", {"id": "poem"}, "id_prefix"),
        ("press", {"id": "film:poem"}, "id_prefix"),
    ],
)
@pytest.mark.parametrize("path", NEW)
async def test_a_tenant_that_is_missing_unknown_or_not_in_the_id_is_told(real, tokens, who, body, code, path):
    async with aiohttp.ClientSession(real.url, headers=bearer(tokens[who])) as http:
        status, text = await ask(http, "POST", path, {**NEW[path], **body})
    assert (status, json.loads(text)["code"]) == (422, code)


async def test_a_role_that_may_not_is_told_which_may(operations, viewer):
    for method, path, operation in operations:
        if "viewer" in operation.get("x-roles", ["viewer"]) or operation.get("x-all-tenants"):
            continue
        filled = re.sub(r"\{version\}", "1", path)
        filled = re.sub(r"\{\w+_id\}", str(uuid4()), filled)
        filled = re.sub(r"\{\w+\}", "x" if "limits" not in path else "tenant:x", filled)
        status, text = await ask(viewer, method, filled, BODIES.get(operation["operationId"]))
        reads_first = {"GetJob", "GetAgent"} & {*operation["x-calls"]}  # what is not there is told by that
        if status != 422 and not (status == 404 and reads_first):  # a body that is not well formed is told first
            assert (status, json.loads(text)["code"]) == (403, "forbidden"), (method, path, text)


LISTS = ("/api/operations", "/api/batches", "/api/limits", "/api/judges", "/api/criteria-sets")


@pytest.mark.usefixtures("things")
async def test_lists_and_the_overview_are_of_the_tenant_that_is_asked_for(real):
    async with aiohttp.ClientSession(real.url, headers=real.headers) as everybody:
        for path in LISTS:
            told = {tenant: await ask(everybody, "GET", f"{path}?tenant={tenant}") for tenant in ("film", "nowhere")}
            assert [status for status, _ in told.values()] == [200, 200], path
            assert (CANARY in told["film"][1], CANARY in told["nowhere"][1]) == (True, False), path
        queued = [
            json.loads((await ask(everybody, "GET", f"/api/overview?tenant={tenant}"))[1])["now"]["queued"]
            for tenant in ("film", "nowhere")
        ]
    assert (queued[0] > 0, queued[1]) == (True, 0)


@pytest.mark.parametrize("path", [*LISTS, "/api/overview"])
async def test_another_tenants_lists_are_those_of_none(press, path):
    told = {tenant: await ask(press, "GET", f"{path}?tenant={tenant}") for tenant in ("film", "nowhere")}
    problems = [(status, json.loads(text.replace(tenant, "X"))) for tenant, (status, text) in told.items()]
    assert [(status, each["code"]) for status, each in problems] == [(422, "unknown_tenant")] * 2
    assert problems[0][1]["detail"] == problems[1][1]["detail"]
    assert (await ask(press, "GET", f"{path}?tenant=press"))[0] == 200
