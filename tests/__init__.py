"""Tests of fednet."""
