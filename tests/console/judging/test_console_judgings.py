"""Judgings without a job over REST, and the report of judging jobs again."""

from uuid import uuid4


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
