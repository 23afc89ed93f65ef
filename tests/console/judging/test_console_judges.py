"""Judge policies, their golden sets and criteria sets over REST."""

import json
from uuid import uuid4

from test_console_problems import problem

POLICY = {"name": "strict", "stages": [{"kind": "single", "judges": [{"model": "a", "key": "main"}]}]}


async def test_a_policy_is_put_by_its_version_and_shown(http):
    async with http.put("/api/judges/strict", json={"policy": POLICY, "note": "to begin with"}) as answer:
        made = await answer.json()
        assert (answer.status, answer.headers["ETag"], made["version"], made["current"]) == (200, '"1"', 1, 1)
    changed = {"policy": POLICY | {"asks": "each"}}
    async with http.put("/api/judges/strict", json=changed, headers={"If-Match": '"7"'}) as answer:
        await problem(answer, 412, "judge_policy_conflict")
    async with http.put("/api/judges/strict", json=changed, headers={"If-Match": '"1"'}) as answer:
        assert (await answer.json())["version"] == 2
    async with http.get("/api/judges/strict?page_size=1&before=2") as answer:
        shown = await answer.json()
        assert answer.headers["ETag"] == '"2"'
    assert [(each["version"], each["note"], each["policy"]["asks"]) for each in shown["versions"]] == [
        (1, "to begin with", "auto")
    ]
    async with http.post("/api/judges/strict/promote", json={"version": 2, "force_reason": "in a hurry"}) as answer:
        assert (await answer.json())["current"] == 2
    async with http.post("/api/judges/strict/retire") as answer:
        assert "current" not in await answer.json()
    async with http.get("/api/judges") as answer:
        listed = await answer.json()
    assert ([each["name"] for each in listed["items"]], listed["validators"]) == (["strict"], [])


async def test_a_policy_that_cannot_be_is_refused_with_its_place(http):
    other = POLICY | {"name": "other"}
    for policy, code in [(other, "invalid_request"), (POLICY | {"stages": []}, "invalid_request")]:
        async with http.put("/api/judges/strict", json={"policy": policy}) as answer:
            await problem(answer, 422, code)
    secret = {"kind": "single", "judges": [{"model": "a", "key": "sk-SECRET"}]}
    async with http.put("/api/judges/strict", json={"policy": POLICY | {"stages": [secret]}}) as answer:
        body = await problem(answer, 422, "invalid_request")
    assert body["errors"][0]["pointer"] == "#/policy/stages/0/judges/0/key"
    assert "SECRET" not in str(body)
    async with http.get("/api/judges/default@3") as answer:
        await problem(answer, 422, "invalid_request")
    async with http.get("/api/judges/nobody") as answer:
        await problem(answer, 404, "unknown_judge_policy")


async def test_a_golden_set_is_put_read_and_retired(http):
    cases = [
        json.dumps({"id": f"{label}", "result": f"{label}", "acceptance_criteria": "It rhymes", "label": label})
        for label in (True, False)
    ]
    new = {"cases_jsonl": "\n".join(cases), "true_negative_rate_min": 0.95, "flips_max": 0.1, "note": "from July"}
    async with http.put("/api/judges/strict/golden-set", json=new) as answer:
        made = await answer.json()
        assert (answer.status, made["version"], made["good"], made["bad"], made["is_retired"]) == (200, 1, 1, 1, False)
    assert (made["true_positive_rate_min"], made["true_negative_rate_min"], made["flips_max"]) == (0.9, 0.95, 0.1)
    async with http.get("/api/judges/strict/golden-set") as answer:
        shown = await answer.json()
    assert [json.loads(line)["label"] for line in shown["cases_jsonl"].splitlines()] == [True, False]
    async with http.post("/api/judges/strict/golden-set/retire", json={"reason": "too old"}) as answer:
        assert (await answer.json())["is_retired"]
    async with http.get("/api/judges/unknown/golden-set") as answer:
        await problem(answer, 404, "unknown_golden_set")
    for fault in ({"cases_jsonl": ""}, {}, new | {"flips_max": 2}, new | {"true_positive_rate_min": 1}):
        async with http.put("/api/judges/strict/golden-set", json=fault) as answer:
            await problem(answer, 422, "invalid_request")


async def test_criteria_sets_are_kept_and_linted(http):
    async with http.put("/api/criteria-sets/house", json={"acceptance_criteria": "Must not be rude"}) as answer:
        made = await answer.json()
        assert (made["version"], [each["code"] for each in made["warnings"]]) == (1, ["criterion_reads_as_absence"])
    criteria = [{"text": "Is rude", "kind": "never"}]
    async with http.put("/api/criteria-sets/house", json={"criteria": criteria}, headers={"If-Match": '"1"'}) as answer:
        assert (await answer.json())["versions"][0]["acceptance_criteria"] == "never: Is rude"
    async with http.get("/api/criteria-sets/house") as answer:
        assert [each["version"] for each in (await answer.json())["versions"]] == [2, 1]
    async with http.get("/api/criteria-sets") as answer:
        assert [each["name"] for each in (await answer.json())["items"]] == ["house"]
    async with http.post("/api/criteria-sets/house/retire", json={"reason": "too strict"}) as answer:
        assert "current" not in await answer.json()
    async with http.post("/api/criteria-sets/unknown/retire") as answer:
        await problem(answer, 404, "unknown_criteria_set")
    async with http.put("/api/criteria-sets/house", json={"criteria": []}) as answer:
        await problem(answer, 422, "criteria_empty")
    async with http.post("/api/criteria/lint", json={"acceptance_criteria": "Says red"}) as answer:
        assert (await answer.json()) == {"warnings": [], "notes": []}
    async with http.post("/api/criteria/lint", json={}) as answer:
        await problem(answer, 422, "criteria_empty")


async def test_judgings_are_queued_once_a_key_and_read_with_their_verdicts(http, jobstore):
    asked = {"cases": [{"result": {"text": "blue"}, "acceptance_criteria": "blue"}], "judge": "strict@2"}
    made = await http.post("/api/judgings", json=asked, headers={"Idempotency-Key": "k"})
    assert (made.status, made.headers["Location"]) == (201, f"/api/judgings/{(await made.json())['id']}")
    again = await http.post("/api/judgings", json=asked, headers={"Idempotency-Key": "k"})
    assert (await again.json())["id"] == (await made.json())["id"]
    found = await (await http.get(made.headers["Location"])).json()
    ((judging,), cursor) = found["items"], found.get("next_page_token")
    assert (judging["state"], judging["verdict"]["is_valid"], cursor) == ("DONE", True, None)
    assert [request.judge for request in jobstore.judging.asked] == ["strict@2"] * 2


async def test_what_is_asked_wrongly_is_told_where(http):
    case = {"result": 1, "acceptance_criteria": "c"}
    for wrong, where in (
        ({"cases": []}, "cases"),
        ({"cases": [{"result": 1, "acceptance_criteria": ""}]}, "acceptance_criteria"),
        ({"cases": [case], "kind": "shadow"}, "operation"),
        ({"cases": [case], "judge": "a", "judge_policy": {"name": "b"}}, "either"),
    ):
        answer = await http.post("/api/judgings", json=wrong)
        assert (answer.status, where in await answer.text()) == (422, True), wrong


async def test_a_report_says_what_flips(http):
    report = await (await http.get(f"/api/operations/{uuid4()}/rejudge-report")).json()
    assert (report["flipped"], report["failed"]) == (1, {"execution_live": 1})
    assert report["criteria"][0]["outcomes"] == {"pass > fail": 1, "pass > pass": 1}
    assert report["flips"][0]["criteria"] == [{"text": "blue", "before": "pass", "after": "fail"}]
