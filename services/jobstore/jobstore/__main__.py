"""Run the jobstore: `python -m jobstore`."""

from functools import partial

from jobstore.app import main
from jobstore.config import Settings
from servicekit.process.runtime import run
from servicekit.process.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(Settings)
    run("jobstore", partial(main, settings=settings), log_level=settings.log_level)
