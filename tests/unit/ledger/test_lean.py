"""What is left out of web3 and eth-account is there for whoever else wants it."""

from __future__ import annotations

import subprocess
import sys


def _run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_ledger_imports_no_aiohttp_and_nobody_else_is_kept_from_it() -> None:
    _run(
        "import sys, fednet.ledger.reader, fednet.ledger.writer\n"
        "assert not any(name.split('.')[0] == 'aiohttp' for name in sys.modules)\n"
        "import aiohttp\n"
        "from web3.utils import async_exception_handling as asynchronous\n"
        "made = asynchronous.ClientTimeout(5)\n"
        "assert type(made) is aiohttp.ClientTimeout and made.total == 5"
    )


def test_the_stand_ins_go_while_other_threads_import() -> None:
    _run(
        "import itertools, sys, threading, types\n"
        "from fednet.ledger import lean\n"
        "sys.setswitchinterval(1e-6)\n"
        "done = threading.Event()\n"
        "def others():\n"
        "    for number in itertools.count():\n"
        "        if done.is_set():\n"
        "            return\n"
        "        sys.modules[f'other{number % 5000}'] = types.ModuleType('other')\n"
        "        sys.modules.pop(f'other{(number * 7) % 5000}', None)\n"
        "thread = threading.Thread(target=others)\n"
        "thread.start()\n"
        "try:\n"
        "    for _ in range(300):\n"
        "        sys.modules['stood_in.part'] = types.ModuleType('stood_in.part')\n"
        "        lean._forget('stood_in')\n"
        "        assert 'stood_in.part' not in sys.modules\n"
        "finally:\n"
        "    done.set()\n"
        "    thread.join()\n"
    )
