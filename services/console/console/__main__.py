"""Run the console: `python -m console`."""

import gc

if __name__ == "__main__":
    gc.disable()  # modules are no garbage: an eighth of the start was spent on seeking some in them; `run` enables it
    from console.app import main

    main()
