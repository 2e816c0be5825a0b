"""Use fednet from Python: homes and runs, plans, rehearsals; `import fednet` names it all.

It stands on the functions that the command line stands on, so that both do the
same; see docs/python.md. Nothing here prints, asks, or ends the process.
"""
