"""Send traces of jobs: `python -m jobstore.tracing`."""

from functools import partial

if __name__ == "__main__":
    from jobstore.tracing.exporter import Settings, main
    from servicekit.process.runtime import run
    from servicekit.process.settings import read_settings

    settings = read_settings(Settings)
    run("traces", partial(main, settings=settings), **settings.of_logs)
