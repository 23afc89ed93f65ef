"""What the documents and the code refer to is there: links, anchors, pages, and rules of the protocol by name."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Names in it are those of its time.
CHANGELOG = "CHANGELOG.md"
PROTOCOL = ROOT / "docs" / "protocol.md"
RULES = ROOT / "docs" / "protocol" / "rules.md"
LISTING = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
TEXTS = {
    ".md",
    ".py",
    ".pyi",
    ".ts",
    ".tsx",
    ".css",
    ".html",
    ".proto",
    ".toml",
    ".yml",
    ".yaml",
    ".json",
    ".sh",
    ".mako",
}

FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
RULE = re.compile(r"^- \*\*`([a-z-]+)`\*\*: ", re.MULTILINE)
NAMED_RULE = re.compile(r"\b[Rr]ules? `([a-z-]+)`(?: and `([a-z-]+)`)?")
NAMED_FILE = re.compile(r"`([\w./-]+\.(?:py|tsx?|proto|md|ya?ml|toml|css))`")
NAMED_TEST = re.compile(r"`(test_\w+)`")
NAMED_PAGE = re.compile(r"(?<![\w./-])docs/[\w./-]*\w")
NAMED_SECTION = re.compile(r"protocol\.md#([\w-]+)")
#: Pages that stood outside of this repository, and sections of them; written so that it does not find itself.
ELSEWHERE = re.compile(
    r"\bD[E]SIGN\b|\bH[O]USE\b|\b(?:ST[Y]LE|C[O]RE|F[A]CTS|L[I]FE)\.md\b|\b[Mm]odel r[u]les? [a-z]+_"
)


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """The texts of the project's files, by path: those committed, and new ones that are not ignored."""
    listing = subprocess.run(LISTING, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git work tree")
    names = {name for name in listing.stdout.split("\0") if name}
    return {name: (ROOT / name).read_text("utf-8") for name in names if is_text(name) and (ROOT / name).is_file()}


def is_text(name: str) -> bool:
    return (Path(name).suffix in TEXTS or Path(name).name == "Makefile") and not name.endswith("package-lock.json")


def slugs(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: Counter[str] = Counter()
    anchors = set(re.findall(r'<a id="([^"]+)"', page))
    for heading in HEADING.findall(FENCED.sub("", page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        anchors.add(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return anchors


def links(page: str) -> Iterator[tuple[str, str]]:
    """Path and anchor of each link that leads to this repository."""
    for target in LINK.findall(re.sub(r"`[^`]*`", "", FENCED.sub("", page))):
        if "://" not in target and not target.startswith("mailto:"):
            path, _, anchor = target.partition("#")
            yield path, anchor


def test_every_link_and_anchor_leads_somewhere(files: dict[str, str]) -> None:
    broken = []
    for name, page in files.items():
        for path, anchor in links(page) if name.endswith(".md") else ():
            target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
            known = target.exists() and target.is_relative_to(ROOT)
            if not known or (anchor and target.suffix == ".md" and anchor not in slugs(target.read_text("utf-8"))):
                broken.append(f"{name}: {path}{'#' if anchor else ''}{anchor}")
    assert broken == []


def test_a_link_that_is_called_by_a_files_name_leads_to_that_file(files: dict[str, str]) -> None:
    called = re.compile(r"\[`?([\w.-]+\.(?:py|md|tsx?|proto))`?\]\(([^)\s#]+)")
    pages = {name: FENCED.sub("", page) for name, page in files.items() if name.endswith(".md")}
    wrong = [(name, *link) for name, page in pages.items() for link in called.findall(page) if "://" not in link[1]]
    assert [link for link in wrong if Path(link[2]).name != link[1]] == []


def test_no_file_names_a_document_that_is_not_here(files: dict[str, str]) -> None:
    named = [f"{name}: {found.group()}" for name, text in files.items() for found in ELSEWHERE.finditer(text)]
    assert named == []


def test_every_page_that_is_named_is_there(files: dict[str, str]) -> None:
    """Also by the beginning of its name, as `docs/adr/0007`."""
    missing = []
    for name, text in files.items():
        for page in set(NAMED_PAGE.findall(text)):
            path = ROOT / page
            if not path.exists() and not any(path.parent.glob(f"{path.name}-*")):
                missing.append(f"{name}: {page}")
    assert missing == []


def test_every_file_that_a_document_names_is_there(files: dict[str, str]) -> None:
    """Also by the end of its path, as `relay.py`."""
    ends = tuple(f"/{name}" for name in files)
    pages = {name: page for name, page in files.items() if name.endswith(".md") and name != CHANGELOG}
    named = {(name, file.removeprefix("../")) for name, page in pages.items() for file in NAMED_FILE.findall(page)}
    missing = [f"{name}: {file}" for name, file in named if not any(end.endswith(f"/{file}") for end in ends)]
    assert missing == []


def test_every_test_that_a_document_names_is_there(files: dict[str, str]) -> None:
    tests = "".join(text for name, text in files.items() if name.startswith("tests/") and name.endswith(".py"))
    known = set(re.findall(r"def (test_\w+)\(", tests))
    pages = {name: page for name, page in files.items() if name.endswith(".md") and name != CHANGELOG}
    named = {(name, test) for name, page in pages.items() for test in NAMED_TEST.findall(page)}
    assert [reference for reference in sorted(named) if reference[1] not in known] == []


def test_every_section_of_the_protocol_that_is_named_is_there(files: dict[str, str]) -> None:
    known = slugs(PROTOCOL.read_text("utf-8"))
    named = {(name, section) for name, text in files.items() for section in NAMED_SECTION.findall(text)}
    assert [reference for reference in sorted(named) if reference[1] not in known] == []


def test_every_rule_that_is_named_is_one_of_the_protocol(files: dict[str, str]) -> None:
    known = RULE.findall(RULES.read_text("utf-8"))
    assert len(known) == len(set(known)) > 0
    named = {(name, rule) for name, text in files.items() for pair in NAMED_RULE.findall(text) for rule in pair if rule}
    assert [reference for reference in sorted(named) if reference[1] not in known] == []
