"""Set-up, checks and generated documents of this repository."""
