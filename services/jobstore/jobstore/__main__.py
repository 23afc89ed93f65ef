"""Run the jobstore: `python -m jobstore`."""

from functools import partial

from jobstore.app import main
from jobstore.config import Settings
from servicekit.process.runtime import run

if __name__ == "__main__":
    settings = Settings()
    run("jobstore", partial(main, settings=settings), log_level=settings.log_level)
