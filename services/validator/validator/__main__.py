"""Run the validator: `python -m validator`."""

import gc
from functools import partial

if __name__ == "__main__":
    gc.disable()  # modules are no garbage: an eighth of the start was spent on seeking some in them; `run` enables it
    from servicekit.process.runtime import run
    from servicekit.process.settings import read_settings
    from validator.app import main
    from validator.config import Settings

    settings = read_settings(Settings)
    run("validator", partial(main, settings=settings), **settings.of_logs)
