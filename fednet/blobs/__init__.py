"""Blobs over IPFS: the only home of IPFS clients.

============ ==============================================================
kubo.py      KuboStore, the store over any Kubo RPC; EmbeddedStore, the same
             with a node of its own
bus.py       KuboBus, messages between members over the same node
rpc.py       the one client, ipfshttpclient, behind one adapter
pieces.py    the piece list that a locator names
cid.py       CIDv0 computed without a node
multibase.py topics and messages as the RPC writes them
uploads.py   what is handed to the RPC
cache.py     verified copies on this disk
bundled.py   BundledStore, read-only, over the blobs inside one archive
memory.py    a double for unit tests
embedded/    the embedded Kubo node: supervisor, child process, RPC
============ ==============================================================

The port is `fednet.domain.blobs.BlobStore`. A blob's name is its commitment;
whatever a peer or a daemon claims, only bytes that hash to it come out of here.
What is published is public to every member of the swarm: sealing is not done here.
"""

from fednet.blobs.bus import KuboBus
from fednet.blobs.embedded.repo import NO_LISTEN, new_swarm_key
from fednet.blobs.embedded.supervisor import running_endpoint
from fednet.blobs.kubo import EmbeddedStore, KuboStore
from fednet.blobs.memory import MemoryStore, MemorySwarm

__all__ = [
    "NO_LISTEN",
    "EmbeddedStore",
    "KuboBus",
    "KuboStore",
    "MemoryStore",
    "MemorySwarm",
    "new_swarm_key",
    "running_endpoint",
]
