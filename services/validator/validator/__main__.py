"""Run the validator: `python -m validator`."""

from functools import partial

from servicekit.process.runtime import run
from servicekit.process.settings import read_settings
from validator.app import main
from validator.config import Settings

if __name__ == "__main__":
    settings = read_settings(Settings)
    run("validator", partial(main, settings=settings), log_level=settings.log_level)
