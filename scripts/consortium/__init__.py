"""The demo: a whole consortium on one machine, through the commands its members would type."""
