"""What leaves fednet for others to read: reports, provenance documents, model cards."""
