"""Run the command line as ``python -m fednet.cli``."""

from fednet.cli import main

main(prog_name="fednet")
