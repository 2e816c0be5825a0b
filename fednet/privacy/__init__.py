"""What keeps an update from betraying the data it was trained on.

Each mechanism is a package of its own and pure but for the files that it is
given; nothing here asks a ledger or a store.
"""
