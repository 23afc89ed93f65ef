"""What pip installs: of one version, with bounds on all that it needs; and three wheels, which say what they are."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from support.distributions import ROOT, UV
from trove_classifiers import classifiers

WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
VERSION = WORKSPACE["project"]["version"]
#: Those that are published. The others are parts: of `signoff-server`, which has all of them, and of images.
PUBLISHED = {"signoff-client": "proto/client", "signoff-agent": "services/agent", "signoff-server": "deploy/server"}
GLOBS = (*WORKSPACE["tool"]["uv"]["workspace"]["members"], "deploy/server")
FOLDERS = sorted(
    path.parent.relative_to(ROOT).as_posix() for each in GLOBS for path in ROOT.glob(f"{each}/pyproject.toml")
)
PROJECTS = {name: tomllib.loads((ROOT / name / "pyproject.toml").read_text("utf-8")) for name in FOLDERS}
PARTS = [name for name in PROJECTS if name not in PUBLISHED.values()]
LOCKED = dict(re.findall(r"^([\w.-]+)==([^ \\]+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE))
#: The packages without which generated code does not start, or with an older one than that which it names.
GENERATED = {
    "grpcio": (re.compile(r"GRPC_GENERATED_VERSION = '(.+)'"), "*_pb2_grpc.py"),
    "protobuf": (re.compile(r"# Protobuf Python Version: (.+)"), "*_pb2.py"),
}
OLDEST, NEWEST = ">=", "<"
RELEASE = runpy.run_path(str(ROOT / "deploy/release.py"))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels that are published; that of the server has the page that `make setup` has built."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in PUBLISHED.values():
        build(project, folder)
    return {name: next(folder.glob(f"{name.replace('-', '_')}-*.whl")) for name in PUBLISHED}


def build(project: str | Path, folder: Path) -> None:
    """Build a wheel where there is no npm."""
    options = ["--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder]
    env = os.environ | {"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1764547200"}
    subprocess.run([UV, "build", *options, ROOT / project], check=True, env=env)


def find_needs(name: str) -> Iterator[Requirement]:
    """Yield what a distribution needs of others, by itself and by its extras."""
    project = PROJECTS[name]["project"]
    lists = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
    needs = (Requirement(text) for texts in lists for text in texts)
    return (need for need in needs if not need.name.startswith("signoff-"))


def find_bound(specifiers: SpecifierSet, operator: str) -> Version:
    (bound,) = (Version(each.version) for each in specifiers if each.operator == operator)
    return bound


def list_names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def read(wheel: Path, name: str) -> bytes:
    with ZipFile(wheel) as archive:
        return archive.read(next(each for each in archive.namelist() if each.endswith(f".dist-info/{name}")))


@pytest.mark.parametrize("name", PROJECTS)
def test_the_version_of_each_stands_in_one_place(name: str) -> None:
    project = PROJECTS[name]
    assert "version" in project["project"]["dynamic"]
    assert (ROOT / name / project["tool"]["hatch"]["version"]["path"]).resolve() == ROOT / "pyproject.toml"


def test_the_changelog_has_the_version() -> None:
    assert f"\n## [{VERSION}] - 20" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("name", PROJECTS)
def test_what_is_needed_has_bounds_around_the_version_that_is_tested(name: str) -> None:
    for need in find_needs(name):
        tested = Version(LOCKED[need.name])
        assert find_bound(need.specifier, OLDEST) <= tested < find_bound(need.specifier, NEWEST), need
        assert find_bound(need.specifier, NEWEST) <= Version(f"{tested.major + 1}"), need


def test_parts_agree_about_what_they_need() -> None:
    """So that of the one distribution that has them all each need is told once."""
    told = defaultdict(set)
    for need in (need for name in PARTS for need in find_needs(name)):
        told[need.name].add(str(need.specifier))
    assert {name: bounds for name, bounds in told.items() if len(bounds) > 1} == {}


@pytest.mark.parametrize("package", GENERATED)
def test_generated_code_takes_the_oldest_that_is_allowed(package: str) -> None:
    pattern, names = GENERATED[package]
    texts = (path.read_text("utf-8") for path in (ROOT / "proto/signoff").rglob(names))
    generated = {version for text in texts for version in pattern.findall(text)}
    needs = (need for name in PROJECTS for need in find_needs(name))
    oldest = {str(find_bound(need.specifier, OLDEST)) for need in needs if need.name == package}
    assert oldest == generated


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_refused_where_one_publishes(name: str) -> None:
    assert PROJECTS[name]["project"]["classifiers"] == ["Private :: Do Not Upload"]


@pytest.mark.real
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_wheel_says_what_it_is(wheels: dict[str, Path], name: str) -> None:
    metadata = Metadata.from_email(read(wheels[name], "METADATA"))
    assert (metadata.name, str(metadata.version), metadata.license_expression) == (name, VERSION, "Apache-2.0")
    assert read(wheels[name], "licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert metadata.description.startswith(f"# {name}\n")
    assert metadata.description_content_type == "text/markdown"
    assert metadata.summary
    assert set(metadata.classifiers) <= classifiers
    assert str(metadata.requires_python) == ">=3.11"


@pytest.mark.real
def test_one_wheel_has_all_but_what_has_a_wheel_of_its_own(wheels: dict[str, Path]) -> None:
    packed = list_names(wheels["signoff-server"])
    found = (path.parent for name in PARTS for path in (ROOT / name).glob("*/__init__.py"))
    packages = [path for path in found if path.name != "signoff"]  # which is the client's
    assert {name.partition("/")[0] for name in packed if ".dist-info/" not in name} == {path.name for path in packages}
    modules = {path.relative_to(package.parent).as_posix() for package in packages for path in package.rglob("*.py")}
    assert {name for name in packed if name.endswith(".py")} == modules
    assert {"console/static/index.html", "localstack/kafka-jars.txt", "localstack/roles.sql"} <= packed
    assert not [name for name in packed if "__pycache__" in name]
    metadata = Metadata.from_email(read(wheels["signoff-server"], "METADATA"))
    needs = {str(need) for need in metadata.requires_dist}
    assert {need for need in needs if need.startswith("signoff-")} == {
        f"signoff-agent[run]=={VERSION}",
        f"signoff-client=={VERSION}",
    }
    assert {Requirement(need).name for need in needs} >= {need.name for name in PARTS for need in find_needs(name)}
    assert read(wheels["signoff-server"], "entry_points.txt") == b"[console_scripts]\nsignoff = cli.__main__:main\n"


@pytest.mark.real
def test_a_wheel_that_is_built_again_is_the_same(wheels: dict[str, Path], tmp_path: Path) -> None:
    for name, project in PUBLISHED.items():
        build(project, tmp_path)
        assert (tmp_path / wheels[name].name).read_bytes() == wheels[name].read_bytes()


@pytest.mark.real
def test_a_release_says_where_its_sources_are(tmp_path: Path) -> None:
    """By links of the wheel, and by those of its description, which lead nowhere outside of the tree."""
    project = tmp_path / "services/agent"
    shutil.copytree(ROOT / "services/agent", project)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    RELEASE["add_links"](project, "https://git.example.org/signoff", RELEASE["Release"]("1.2.3", "abc", "0"))
    build(project, tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    metadata = Metadata.from_email(read(wheel, "METADATA"))
    at = "https://git.example.org/signoff/blob/v1.2.3"
    assert metadata.project_urls == {
        "Source": "https://git.example.org/signoff",
        "Documentation": f"{at}/README.md",
        "Changelog": f"{at}/CHANGELOG.md",
    }
    assert f"]({at}/docs/agents.md#a-model-with-tools)" in metadata.description
    assert "](.." not in metadata.description


def test_a_release_has_what_is_published_and_the_images_that_are_there() -> None:
    assert set(RELEASE["PUBLISHED"]) == set(PUBLISHED.values())
    assert set(RELEASE["IMAGES"]) == {path.parent.name for path in ROOT.glob("services/*/Dockerfile")}


def test_the_steps_of_images_name_the_version_and_the_commit(tmp_path: Path) -> None:
    RELEASE["write_image_steps"](RELEASE["Release"]("1.2.3", "abc", "17"), tmp_path / "images.sh")
    (step,) = [line for line in (tmp_path / "images.sh").read_text().splitlines() if "/cli/" in line]
    assert step == (
        "docker build -f services/cli/Dockerfile --build-arg SOURCE_DATE_EPOCH=17"
        " --label org.opencontainers.image.version=1.2.3 --label org.opencontainers.image.revision=abc"
        " -t signoff-cli:1.2.3 ."
    )


def test_the_bill_of_materials_names_what_is_in_the_page_and_what_is_fetched() -> None:
    page = {each["purl"].partition("@")[0]: each for each in RELEASE["list_page"](ROOT)}
    assert {"pkg:npm/react", "pkg:npm/swagger-ui-dist", "pkg:npm/%40tanstack/react-query"} <= {*page}
    assert not {"pkg:npm/vite", "pkg:npm/vitest", "pkg:npm/typescript"} & {*page}
    jars = [each for each in RELEASE["list_jars"](ROOT) if each["name"] == "kafka-server"]
    assert [jar["purl"].partition("@")[0] for jar in jars] == ["pkg:maven/org.apache.kafka/kafka-server"]
    assert all(
        re.fullmatch("[0-9a-f]{64}|[0-9a-f]{128}", each["hashes"][0]["content"]) for each in [*page.values(), *jars]
    )
