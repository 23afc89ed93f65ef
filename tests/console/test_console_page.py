"""The page is served with headers that leave hostile content nothing to do, and only where there is a page."""

import gzip
import json
import re
from uuid import uuid4

import pytest
from starlette.requests import Request
from yarl import URL

from console.api.pages import MOVED, NONCE, PAGES, Page
from console.config import check_trace_url
from contracts.resources import NewJob

INDEX = '<!doctype html><head></head><script type="module" nonce="NONCE" src="/assets/main-1a.js"></script>'
SCRIPT = b"export {};" * 200


@pytest.fixture
def page(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "docs.html").write_text(INDEX.replace("main", "docs"))
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "main-1a.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "main-1a.js.gz").write_bytes(gzip.compress(SCRIPT))
    return Page(tmp_path)


@pytest.mark.parametrize("path", [path.replace("{_}", "a.b:c") for path in PAGES])
async def test_every_page_is_the_same_document(http, path):
    async with http.get(path) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "main-1a.js" in await answer.text()


OLD = [(f"/?{query}", f"/jobs?{query}") for query in ("status=FAILED&q=moon", "label=a%3Ab%20c", "status=NOPE")]
OLD += [(old.replace("{name}", "a.b:c"), new.replace("{name}", "a.b:c")) for old, new in MOVED.items()]


@pytest.mark.parametrize(("old", "new"), [*OLD, ("/overview?range=24h", "/system?range=24h")])
async def test_addresses_of_release_020_lead_on(http, old, new):
    """With all that they asked for; for now only, since a release may be rolled back."""
    async with http.get(URL(old, encoded=True), allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, new)


@pytest.mark.parametrize(
    "path", ["/api", "/api/unknown", "/api/jobs/x/unknown", "/jobs/a/b", "/unknown", "/index.html"]
)
async def test_what_is_no_page_is_not_found(http, path):
    async with http.get(path) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"


async def test_the_description_of_the_api_is_a_document_of_its_own(http):
    async with http.get("/docs") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "trusted-types" not in policy
        text = await answer.text()
    assert "docs-1a.js" in text
    assert "://" not in text


async def test_each_answer_has_a_nonce_of_its_own(http):
    nonces = set()
    for _ in range(2):
        async with http.get("/") as answer:
            (nonce,) = re.findall(r'nonce="([^"]+)"', await answer.text())
            assert f"'nonce-{nonce}'" in answer.headers["Content-Security-Policy"]
            nonces.add(nonce)
    assert len(nonces) == 2
    assert NONCE not in nonces


async def test_the_page_may_do_no_more_than_it_needs(http):
    async with http.get("/") as answer:
        policy = dict(
            directive.partition(" ")[::2] for directive in answer.headers["Content-Security-Policy"].split("; ")
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert policy.pop("style-src").startswith("'self' 'nonce-")
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "img-src": "'self' data: blob:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "worker-src": "'self'",
        "frame-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "signoff",
    }


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip, br", "gzip"), ("identity", None)])
async def test_a_part_of_the_page_is_kept_for_ever_and_compressed_once(http, accepted, encoding):
    async with http.get("/assets/main-1a.js", headers={"Accept-Encoding": accepted}) as answer:
        assert answer.status == 200
        assert answer.headers.get("Content-Encoding") == encoding
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.content_type == "text/javascript"
        assert await answer.read() == SCRIPT


async def test_the_icon_changes_within_a_day(http):
    async with http.get("/icon.svg") as answer:
        assert (answer.status, answer.content_type) == (200, "image/svg+xml")
        assert answer.headers["Cache-Control"] == "public, max-age=86400"


@pytest.mark.parametrize("name", ["unknown.js", "..%2Findex.html", "%2e%2e%2f%2e%2e%2fpage.py", "main-1a.js.gz", ""])
async def test_nothing_else_is_ever_opened(http, name):
    async with http.get(f"/assets/{name}") as answer:
        assert answer.status == 404


def test_without_a_build_the_page_says_how_to_make_it(tmp_path):
    page = Page(tmp_path / "missing")
    assert b"make setup" in page.show_index().body
    assert page.find_file(Request({"type": "http", "headers": []}), "icon.svg") is None


async def test_long_answers_of_the_api_are_compressed(http):
    async with http.get("/openapi.json", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert json.loads(await answer.read())["openapi"].startswith("3.1")


async def test_an_event_stream_is_never_held_back(http):
    async with http.get("/api/events", headers={"Accept-Encoding": "gzip"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert await answer.content.readline() == b"retry: 1000\n"


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/limits/x", 404)])
async def test_a_browser_that_goes_astray_is_shown_the_page(http, path, status):
    as_browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Authorization": ""}
    async with http.get(path, headers=as_browser, allow_redirects=False) as answer:
        assert (answer.status, answer.content_type) == (status, "text/html")
    async with http.get(path, headers={"Authorization": ""}, allow_redirects=False) as answer:
        assert (answer.status, answer.content_type) == (status, "application/problem+json")


async def test_a_job_leads_to_its_trace_where_the_console_knows_where_that_is(http, jobstore, page):
    job = await jobstore.add(NewJob(title="t", acceptance_criteria="x", agent_id="writer", id="a.b:c"))
    async with http.get(f"/jobs/{job.id}/trace", allow_redirects=False) as answer:
        assert answer.status == 404
    execution = await jobstore.execute(job.id, str(uuid4()))
    jobstore.executions[str(execution.id)] = execution.model_copy(update={"trace_id": "a" * 32})
    page.trace_url = "https://traces.example/{trace_id}?job={job_id}"
    async with http.get(f"/jobs/{job.id}/trace", allow_redirects=False) as answer:
        assert answer.status == 307, await answer.text()
        assert answer.headers["Location"] == f"https://traces.example/{'a' * 32}?job=a.b%3Ac"
    async with http.get("/jobs") as answer:
        assert '<meta name="traces"' in await answer.text()


@pytest.mark.parametrize("template", ["https://traces.example/", "ftp://x/{trace_id}", "javascript:{trace_id}"])
def test_a_template_that_leads_to_no_trace_is_refused(template):
    with pytest.raises(ValueError, match="trace_id"):
        check_trace_url(template)
    assert check_trace_url("https://x/{trace_id}")
