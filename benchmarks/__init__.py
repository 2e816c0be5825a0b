"""What is measured; run by `scripts/bench`."""
