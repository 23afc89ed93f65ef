"""What must hold of every file, and what no linter looks at."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_MAX = 400
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


def test_no_module_is_longer_than_one_can_keep_in_mind(files):
    modules = [path for path in files if path.suffix == ".py" and "_pb2" not in path.name]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in modules}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


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
