"""One module for each kind of page; a page reads, and hands rows to its template."""
