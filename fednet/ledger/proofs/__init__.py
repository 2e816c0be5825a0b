"""Prove logs and stored values from block headers alone (Ethereum yellow paper, section 4).

============ ==============================================================
rlp_values   strict reading of RLP from strangers
trie.py      Merkle-Patricia tries: the root of a list, and proofs of values
headers.py   headers as bytes, their hashes, and their chain by parent hash
receipts.py  receipts as bytes (EIP-2718), their root, and the logs in them
storage.py   where the rounds module keeps what an audit needs (eth_getProof)
collect.py   headers and receipts from any Ethereum JSON-RPC
history.py   put together: which logs a chain of headers proves
============ ==============================================================

A chain of headers proves what happened on *that* chain; only a block hash known
from elsewhere (a pin, a checkpoint) tells that it is the consortium's.
"""
