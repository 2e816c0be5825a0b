"""What keeps an update from betraying records: mathematics and byte forms, without a network.

- ``masking``: secure aggregation, so that everybody learns the sum and nobody an update.

Nothing here knows a chain, a store or a node. What a mechanism promises, and
against whom, stands in its package's docstring.
"""
