"""Make one distribution of Signoff's parts: it needs what they need, and the page is in it."""

import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGE = "console/static/index.html"


class NeedsHook(MetadataHookInterface):
    """Gather what the parts need; what is published by itself is needed at the same version."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Name the dependencies."""
        folder = Path(self.root)
        parts = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
        projects = [_read_project(folder / package / "..") for package in parts["force-include"]]
        needs = {need for project in projects for need in project["dependencies"] if not need.startswith("signoff-")}
        version = _read_project(folder / "../..")["version"]
        metadata["dependencies"] = [f"signoff-agent[run]=={version}", f"signoff-client=={version}", *sorted(needs)]


class PageHook(BuildHookInterface[Any]):
    """Refuse to pack a console without its page, which npm builds."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Look for the page where it is packed from."""
        del version, build_data
        page = Path(self.root) / "../../services/console" / PAGE
        if not page.exists():
            message = f"there is no page at {page.resolve()}: `make setup` builds it"
            raise FileNotFoundError(message)


def _read_project(folder: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    return project
