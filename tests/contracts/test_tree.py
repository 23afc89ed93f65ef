"""What must hold of every file, and what no linter looks at."""

import json
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from jobstore.schema import scopes
from jobstore.schema.tables import metadata

ROOT = Path(__file__).parents[2]
LINES_MAX = 700
PAGE_LINES_MAX = 200
UNTYPED_MAX = 40
LISTING = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
# Where packages come from is for each machine to say.
INDEX = re.compile(
    r"--(?:extra|default)-index|--find[-]links|index[-_]url\s*=|://[\w.-]*(?:py[p]i|npm[j]s|python[h]osted)"
)


@pytest.fixture(scope="module")
def files():
    """The project's files: committed, or new and not ignored."""
    listing = subprocess.run(LISTING, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git work tree")
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


#: Reasons to skip a test: what the machine, or the copy of the project, has not. What the project lacks fails.
LACKING = {
    "not a git work tree",
    "there is no commit to compare with",
    "needs the whole history: git fetch --unshallow",
    "this machine has no ",
    "NO_BROWSER",
}
SKIP = re.compile(r"pytest\.(?:mark\.)?(skip|skipif|importorskip|xfail)\b(?:\(f?\"?([^\n\"{)]*))?")


def test_what_the_project_lacks_fails_and_is_not_skipped(files):
    tests = [path for path in files if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")]
    skips = {(path.name, *skip) for path in tests for skip in SKIP.findall(path.read_text("utf-8"))}
    assert {skip for skip in skips if skip[1] != "skip" or skip[2] not in LACKING} == set()


def test_no_module_is_longer_than_one_can_keep_in_mind(files):
    modules = [path for path in files if path.suffix == ".py" and "_pb2" not in path.name]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in modules}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


def test_each_module_of_the_jobstore_has_a_place_among_its_layers(files):
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["name"].startswith("inside the jobstore:"))
    placed = {name for layer in layers for name in re.findall(r"[\w.]+", layer)} | {"jobstore.schema.migrations"}
    modules = {
        ".".join(path.relative_to(ROOT / "services/jobstore").with_suffix("").parts)
        for path in files
        if path.is_relative_to(ROOT / "services/jobstore/jobstore") and path.suffix == ".py" and path.stem != "__init__"
    }
    assert {name for name in modules if "migrations" not in name} | {"jobstore.schema.migrations"} == placed


def test_each_table_says_which_rows_a_caller_reads():
    """Say it in schema/scopes.py: by its own tenant, by its job, nothing, or all of it, with the reason."""
    declared = [name for kind in (scopes.SCOPED, scopes.OPEN, scopes.CLOSED) for name in kind]
    assert sorted(declared) == sorted(metadata.tables)


def test_migrations_follow_each_other_in_one_chain():
    """Of two with the same number neither runs: take the next free one."""
    folder = ROOT / "services/jobstore/jobstore/schema/migrations/versions"
    found = [
        (path.name[:4], *re.findall(r'^(?:down_)?revision = "?(\w+)', path.read_text("utf-8"), re.MULTILINE))
        for path in sorted(folder.glob("[0-9]*.py"))
    ]
    numbers = [number for number, *_ in found]
    assert found == [(number, number, before) for number, before in zip(numbers, ["None", *numbers[:-1]], strict=True)]


#: What answers calls, and has a `Database` all the same, which reads rows of all tenants.
WITH_DATABASE = {
    "api/identity_service.py": "tokens, sessions and the audit are compared with the caller's own tenants, and written",
    "api/task_claims.py": "of workers",
    "api/work_service.py": "of workers",
    "publishing/watches.py": "its loop follows how far the log is settled",
}
#: What makes connections of a driver beside the engine.
WITH_DRIVER = {
    "keeping/archiver.py": "a session that lasts, in which transactions begin",
    "keeping/snapshots.py": "copies tables",
    "operations/store.py": "a snapshot is of the tenants of its operation",
    "publishing/relay.py": "as the archiver",
    "recovery/projection.py": "copies rows",
    "recovery/rebuild.py": "as above",
}


def test_what_answers_calls_reads_by_connections_of_its_callers(files):
    """Give a service `Callers` (engine/scoped.py), which knows the tenants of the call that is under way."""
    package = ROOT / "services/jobstore/jobstore"
    modules = {str(path.relative_to(package)): path.read_text("utf-8") for path in files if package in path.parents}
    answering = [name for name in modules if name.startswith("api/") or name in WITH_DATABASE] + [
        "operations/batches.py"
    ]
    importing = re.compile(r"^from .* import .*\bDatabase\b", re.MULTILINE)
    assert {name for name in answering if importing.search(modules[name])} == {*WITH_DATABASE}
    others = {name: text for name, text in modules.items() if not name.startswith("engine/") and name.endswith(".py")}
    assert {name for name, text in others.items() if ".driver" in text} == {*WITH_DRIVER}


def test_each_look_at_all_tenants_has_its_reason(files):
    """Name it in schema/scopes.py, with the reason why a caller of some tenants needs it."""
    package = ROOT / "services/jobstore/jobstore"
    texts = [path.read_text("utf-8") for path in files if package in path.parents and path.suffix == ".py"]
    assert {name for text in texts for name in re.findall(r"\bOfAll\.(\w+)", text)} == {
        each.name for each in scopes.OfAll
    }


def test_the_jobstore_says_what_its_values_are(files):
    """Lines with `Any` are for what strangers send, and for what libraries do not say."""
    package = ROOT / "services/jobstore/jobstore"
    modules = [path for path in files if path.suffix == ".py" and path.is_relative_to(package)]
    untyped = Counter(
        str(path.relative_to(package))
        for path in modules
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"\bAny\b", line)
    )
    assert untyped.total() <= UNTYPED_MAX, untyped.most_common()


def test_each_module_of_tests_has_a_name_of_its_own(files):
    """Most of their folders are no packages: what stands there is imported by its name alone."""
    modules = [path for path in files if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")]
    helpers = [path for path in modules if path.name != "conftest.py" and not (path.parent / "__init__.py").exists()]
    names = Counter(path.name for path in {*helpers, *(path for path in modules if path.name.startswith("test_"))})
    assert [name for name, times in names.items() if times > 1] == []


def test_no_file_says_where_packages_come_from(files):
    texts = {str(path.relative_to(ROOT)): path.read_bytes().decode(errors="ignore") for path in files}
    assert [name for name, text in texts.items() if INDEX.search(text)] == []


def test_locks_hold_hashes_and_no_addresses(files):
    """uv.lock writes the index's address beside every package, so requirements.lock stands in its place."""
    locks = {path.name: path for path in files if path.suffix == ".lock"}
    assert set(locks) == {"requirements.lock"}
    text = locks["requirements.lock"].read_text("utf-8")
    assert "://" not in text
    pinned = re.findall(r"^(\S+)==.*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[^\s#]", text, re.MULTILINE))
    assert "uv" in pinned


@pytest.mark.parametrize(
    "folder",
    [
        "services/console/web",
        "tests/clients/typescript",
        "tests/deploy/helm",
        "tests/e2e",
        "tests/peers/aimock",
        "tests/peers/a2a_js",
        "tests/peers/oidc",
    ],
)
def test_a_lock_of_npm_holds_hashes_and_no_addresses(folder):
    packages = json.loads((ROOT / folder / "package-lock.json").read_text("utf-8"))["packages"]
    del packages[""]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    own = {name: package for name, package in packages.items() if not package.get("inBundle")}
    assert [name for name, package in own.items() if not package["integrity"].startswith("sha512-")] == []


def test_each_distribution_and_package_names_the_licence(files):
    manifests = {
        path: tomllib.loads(path.read_text("utf-8"))["project"] for path in files if path.name == "pyproject.toml"
    }
    manifests |= {path: json.loads(path.read_text("utf-8")) for path in files if path.name == "package.json"}
    others = [str(path.relative_to(ROOT)) for path, each in manifests.items() if each.get("license") != "Apache-2.0"]
    assert others == []


def test_a_file_of_the_page_is_short(files):
    generated = {"schema.d.ts"}
    page = [path for path in files if path.is_relative_to(ROOT / "services")]
    sources = [path for path in page if path.suffix in {".ts", ".tsx", ".css"} and path.name not in generated]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in sources}
    assert {name: lines for name, lines in lengths.items() if lines > PAGE_LINES_MAX} == {}


def test_clients_of_kafka_are_made_in_one_place(files):
    """There alone it is known how brokers are reached, and as whom."""
    made = re.compile(r"\b(?:AIOKafka(?:Consumer|Producer|Client|AdminClient)|KafkaBroker)\(")
    code = [path for path in files if path.suffix == ".py" and path.is_relative_to(ROOT / "services")]
    code += [path for path in files if path.suffix == ".py" and path.is_relative_to(ROOT / "deploy")]
    makers = {str(path.relative_to(ROOT / "services")) for path in code if made.search(path.read_text("utf-8"))}
    assert makers == {"servicekit/servicekit/kafka/access.py"}
