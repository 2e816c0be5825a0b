"""A local index of the ledger: rebuildable from the chain at any time, never the authority."""
