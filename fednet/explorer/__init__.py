"""A read-only window on the ledger in a browser; it never needs a key."""
