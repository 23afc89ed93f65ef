"""Run the executor: `python -m executor`."""

from functools import partial

from executor.app import main
from executor.config import Settings
from servicekit.process.runtime import run
from servicekit.process.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(Settings)
    run("executor", partial(main, settings=settings), log_level=settings.log_level)
