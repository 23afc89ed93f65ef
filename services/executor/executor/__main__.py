"""Run the executor: `python -m executor`."""

import gc
from functools import partial

if __name__ == "__main__":
    gc.disable()  # modules are no garbage: an eighth of the start was spent on seeking some in them; `run` enables it
    from executor.app import main
    from executor.config import Settings
    from servicekit.process.runtime import run
    from servicekit.process.settings import read_settings

    settings = read_settings(Settings)
    run("executor", partial(main, settings=settings), **settings.of_logs)
