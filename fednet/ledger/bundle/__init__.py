"""A run as one file that an auditor checks without a network.

============ ==============================================================
archive.py   a ZIP whose members are stored, aligned, and read in place
contents.py  what the members say
recording.py a node that answers as another did at one block, and keeps the answers
export.py    collect a run and write the file
reader.py    BundleReader: the ledger as the file tells it
============ ==============================================================

A bundle proves that its parts fit one another. That its chain is the
consortium's, only a block hash known from elsewhere shows.
"""
