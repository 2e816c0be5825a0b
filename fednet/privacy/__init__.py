"""Keep updates from betraying the records they were learnt from; no torch, no key, no I/O.

`accounting` tells what a release costs, `noise` draws what hides a site in a sum.
"""
