"""Pack the package signoff, which stands beside this folder, into the wheel."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PackageHook(BuildHookInterface[Any]):
    """Add the package to a wheel; an editable install would copy it, and only links to it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the folder of the package, unless it is only linked to."""
        if version != "editable":
            build_data["force_include"]["../signoff"] = "signoff"
