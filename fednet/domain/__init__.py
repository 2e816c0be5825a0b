"""Frozen values, legal moves and canonical bytes; no I/O, no clock, no randomness."""
