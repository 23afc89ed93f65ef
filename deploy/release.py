# ruff: noqa: INP001, S603, T201 - a script, which runs programs and says so
"""Make a release in dist/VERSION, twice and byte for byte the same, and try its wheels where only Python is.

    make release ARGS="--repository https://git.example.org/signoff"

It is made of the commit that is checked out: three wheels, a bill of materials (CycloneDX), the commands that build
the images, and the hashes of all. Nothing is published.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.metadata import Metadata

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
#: The distributions that are published; a test compares them with the tree.
PUBLISHED = ("proto/client", "services/agent", "deploy/server")
SERVER = "signoff-server"
IMAGES = ("jobstore", "executor", "validator", "console", "cli")
PAGE = "services/console/web"
JARS = "deploy/local/localstack/kafka-jars.txt"
#: Where all that is needed has wheels: the oldest and the newest Python of each.
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin")
PYTHONS = ("3.11", "3.14")
#: What a program has to be told on a machine whose network is not the internet's.
NETWORK = re.compile(r"PIP_\w+|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|(?i:(https?|no|all)_proxy)")

Bom = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """A commit that is released: what it is called, what it is, and the time that its files have."""

    version: str
    commit: str
    epoch: str

    @property
    def env(self) -> dict[str, str]:
        """The environment of what builds: with the lock's own tools, and with one time for all files."""
        return os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "SOURCE_DATE_EPOCH": self.epoch}


def run(*command: str | Path, **options: Any) -> str:
    """Run a program, which must succeed, and return what it says."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def find_release() -> Release:
    """Return what is checked out, which is released as it was committed."""
    if changed := run("git", "status", "--porcelain", cwd=ROOT):
        sys.exit(f"release: commit these first, since what is committed is released:\n{changed}")
    commit, epoch = run("git", "log", "-1", "--format=%H %ct", cwd=ROOT).split()
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return Release(version, commit, epoch)


def build(release: Release, folder: Path, repository: str | None) -> Path:
    """Build the page and the wheels from the commit, in a folder that has nothing else; return that of the wheels."""
    tree, wheels = folder / "tree", folder / "wheels"
    tree.mkdir(parents=True)
    archive = subprocess.run(("git", "archive", release.commit), cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout  # noqa: S607
    subprocess.run(("tar", "-x", "-C", tree), input=archive, check=True)  # noqa: S607
    if repository:
        for project in PUBLISHED:
            add_links(tree / project, repository, release)
    npm = (BIN / "npm", "--silent", "--prefix", tree / PAGE)
    run(*npm, "ci", env=release.env)
    run(*npm, "run", "build", env=release.env)
    for project in PUBLISHED:
        options = ("--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", wheels)
        run(BIN / "uv", "build", *options, tree / project, env=release.env)
    return wheels


def add_links(project: Path, repository: str, release: Release) -> None:
    """Say where the sources are, which the tree cannot know; and make links of the description lead there."""
    manifest = project / "pyproject.toml"
    at = f"{repository}/blob/v{release.version}"
    links = {"Source": repository, "Documentation": f"{at}/README.md", "Changelog": f"{at}/CHANGELOG.md"}
    table = "".join(f'{name} = "{url}"\n' for name, url in links.items())
    manifest.write_text(f"{manifest.read_text('utf-8')}\n[project.urls]\n{table}", encoding="utf-8")
    readme = project / tomllib.loads(manifest.read_text("utf-8"))["project"]["readme"]
    readme.write_text(readme.read_text("utf-8").replace("](../../", f"]({at}/"), encoding="utf-8")


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_needs(wheels: Path) -> Iterator[str]:
    """Yield what the wheels need of others, with extras, each as if it were asked for by itself."""
    for wheel in sorted(wheels.glob("*.whl")):
        with ZipFile(wheel) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
            needs = Metadata.from_email(archive.read(name)).requires_dist or []
        for need in needs:
            need.marker = None  # of an extra, if any
            yield str(need)


def describe(release: Release, wheels: Path, tree: Path, folder: Path) -> str:
    """Make the bill of materials: Python's packages as they are tested, those in the page, and the jars of Kafka."""
    pins = folder / "pins.txt"
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pins.write_text("\n".join(re.findall(r"^[\w.-]+==[^ ;\\]+", lock, re.MULTILINE)))
    python = folder / "python"
    run(BIN / "uv", "venv", "--quiet", "--python", sys.executable, python)
    run(
        BIN / "uv", "pip", "install", "--quiet", "--python", python, "--constraint", pins, *sorted(wheels.glob("*.whl"))
    )
    options = ("--output-reproducible", "--spec-version", "1.6", "--of", "JSON")
    bom: Bom = json.loads(run(BIN / "cyclonedx-py", "environment", *options, python / "bin/python", env=release.env))
    hashes = {wheel.name.partition("-")[0].replace("_", "-"): hash_file(wheel) for wheel in wheels.glob("*.whl")}
    for component in bom["components"]:
        if component["name"] in hashes:  # it was installed from a file, and is known by another name
            name, ref = component["name"], component["bom-ref"]
            purl = f"pkg:pypi/{name}@{release.version}"
            component.update(name_component(name, release.version, purl, hashes[name]) | {"bom-ref": ref})
            links = component.pop("externalReferences")
            component["externalReferences"] = [link for link in links if not link["url"].startswith("file:")]
    (server,) = (component for component in bom["components"] if component["name"] == SERVER)
    packed = [*list_page(tree), *list_jars(tree)]
    bom["components"] = [component for component in bom["components"] if component is not server] + packed
    bom["metadata"]["component"] = server | {"type": "application"}
    (needs,) = (each for each in bom["dependencies"] if each["ref"] == server["bom-ref"])
    needs["dependsOn"] += [component["bom-ref"] for component in packed]
    text = f"{json.dumps(bom, indent=1)}\n"
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"release: the bill of materials is not as CycloneDX says: {fault}")
    return text


def list_page(tree: Path) -> Iterator[Bom]:
    """List the packages of npm that are built into the page.

    By its lock: `npm sbom --omit dev` leaves out what tools need, too, such as React.
    """
    packages = json.loads((tree / PAGE / "package-lock.json").read_text("utf-8"))["packages"]
    for path, package in packages.items():
        if path and not package.get("dev"):
            name, version = path.rpartition("node_modules/")[2], package["version"]
            sha512 = b64decode(package["integrity"].removeprefix("sha512-")).hex()
            purl = f"pkg:npm/{name.replace('@', '%40')}@{version}"
            licences = [{"expression": package["license"]}]
            yield name_component(name, version, purl, sha512) | {"bom-ref": path, "licenses": licences}


def list_jars(tree: Path) -> Iterator[Bom]:
    """List the jars of Kafka, which the local stack fetches at its first start and compares with these hashes."""
    for line in (tree / JARS).read_text("utf-8").splitlines():
        if not line.startswith("#"):
            sha256, coordinate = line.split()
            group, name, version = coordinate.split(":")
            yield name_component(name, version, f"pkg:maven/{group}/{name}@{version}", sha256) | {"group": group}


def name_component(name: str, version: str, purl: str, hash_: str) -> Bom:
    """Return what tells a component from all others, with its SHA-256 or SHA-512."""
    hashes = [{"alg": "SHA-256" if len(hash_) == 64 else "SHA-512", "content": hash_}]  # noqa: PLR2004 - in hexadecimal
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "hashes": hashes}


def write_image_steps(release: Release, path: Path) -> None:
    """Write the commands that build the images, each with the version and the commit in its labels."""
    labels = {"version": release.version, "revision": release.commit}
    options = " ".join(f"--label org.opencontainers.image.{name}={value}" for name, value in labels.items())
    lines = [
        f"docker build -f services/{name}/Dockerfile --build-arg SOURCE_DATE_EPOCH={release.epoch} {options} "
        f"-t signoff-{name}:{release.version} ."
        for name in IMAGES
    ]
    lines = ["#!/bin/sh", f"# In the root of a clone at v{release.version}.", "set -e", *lines]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.chmod(0o755)


def try_wheels(name: str, folder: Path) -> None:
    """Run the demo from an empty folder, with an empty home, by the Python environment `name`."""
    home, work = folder / "home", folder / f"work-{name}"
    home.mkdir(exist_ok=True)
    work.mkdir()
    env = {key: value for key, value in os.environ.items() if NETWORK.fullmatch(key)}
    env |= {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    print(f"release: signoff demo, with the {name} packages that are allowed", flush=True)
    done = subprocess.run(
        [folder / name / "bin/signoff", "demo"], cwd=work, env=env, check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"release: signoff demo ended with status {done.returncode}:\n{done.stdout}{done.stderr}")


def find_wheels(needs: Path) -> None:
    """Refuse to release what would have to be compiled where Signoff is installed."""
    for platform, python in product(PLATFORMS, PYTHONS):
        print(f"release: wheels of all that is needed, for Python {python} on {platform}", flush=True)
        options = ("--quiet", "--only-binary", ":all:", "--python-version", python, "--python-platform", platform)
        run(BIN / "uv", "pip", "compile", *options, needs)


def install(wheels: Path, needs: Path, folder: Path) -> None:
    """Install the wheels as their users do, and with the oldest of all that they need."""
    run(sys.executable, "-m", "venv", folder / "newest")
    run(folder / "newest/bin/python", "-m", "pip", "install", "--quiet", *wheels.glob("*.whl"))
    run(BIN / "uv", "venv", "--quiet", "--python", sys.executable, folder / "oldest")
    oldest = ("--resolution", "lowest-direct", "--requirement", needs)
    run(BIN / "uv", "pip", "install", "--quiet", "--python", folder / "oldest", *oldest, *wheels.glob("*.whl"))


def main() -> None:
    """Make the release, or say why there is none."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__.partition("\n")[0])
    parser.add_argument("--repository", metavar="URL", help="where the sources are: wheels have no links without it")
    repository = parser.parse_args().repository
    release = find_release()
    target = ROOT / "dist" / release.version
    with TemporaryDirectory(prefix="signoff-release-") as temporary:
        folder = Path(temporary)
        made = []
        for attempt in ("first", "second"):
            print(f"release: {release.version}, built for the {attempt} time", flush=True)
            wheels = build(release, folder / attempt, repository)
            bom = describe(release, wheels, folder / attempt / "tree", folder / attempt)
            (wheels / f"{SERVER}-{release.version}.cdx.json").write_text(bom, encoding="utf-8")
            write_image_steps(release, wheels / "images.sh")
            (wheels / ".gitignore").unlink(missing_ok=True)
            made.append({path.name: hash_file(path) for path in sorted(wheels.iterdir())})
        if made[0] != made[1]:
            sys.exit(f"release: built again, these differ: {sorted(made[0].items() ^ made[1].items())}")
        run(BIN / "twine", "check", "--strict", *wheels.glob("*.whl"))
        needs = folder / "needs.txt"
        needs.write_text("\n".join(need for need in read_needs(wheels) if not need.startswith("signoff-")))
        find_wheels(needs)
        install(wheels, needs, folder)
        for name in ("newest", "oldest"):
            try_wheels(name, folder)
        (wheels / "SHA256SUMS").write_text("".join(f"{hash_}  {name}\n" for name, hash_ in made[1].items()))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(wheels, target)
    print(f"release: {target.relative_to(ROOT)}/ has {', '.join(made[1])} and SHA256SUMS; nothing was published")


if __name__ == "__main__":
    main()
