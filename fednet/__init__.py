"""Blockchain-audited federated learning: anyone can recompute who did what."""

__version__ = "0.1.0"
