"""What keeps an update from betraying the records it was trained on; nothing here asks a network.

========== ==================================================================
masking    secure aggregation: everybody learns the sum, nobody an update
sealing    blobs that only the members of a round can read, until erased
accounting what a noisy release costs, and what was spent over runs
noise      draws what hides a site in a sum
========== ==================================================================

Each is pure but for the files that it is given. What a mechanism promises, and
against whom, stands in its package's docstring.
"""
