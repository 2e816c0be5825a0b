"""Run the command line as ``fednet`` or ``python -m fednet.cli``."""

import gc

from fednet.cli import main


def run() -> None:
    """Run the command that was typed."""
    # What a command imports lives as long as the command: to look through it for garbage
    # every 700 objects is a tenth of the time until it answers.
    gc.set_threshold(50_000, 20, 20)
    main(prog_name="fednet")


if __name__ == "__main__":
    run()
