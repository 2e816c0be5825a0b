"""Run every check that needs no running system; say which failed, after all have run."""

from __future__ import annotations

import subprocess
import sys
import time

from scripts.maintenance.set_up import ROOT, VENV

PYTHON = str(VENV / "bin" / "python")
CHECKS = {
    "style": [PYTHON, "-m", "ruff", "check", "--quiet", "."],
    "format": [PYTHON, "-m", "ruff", "format", "--quiet", "--check", "."],
    "types": [PYTHON, "-m", "mypy", "--no-error-summary"],
    "layers": [str(VENV / "bin" / "lint-imports"), "--no-cache"],
    "contracts": ["scripts/contracts", "--check"],
    "documents": [PYTHON, "-m", "scripts.generate_docs", "--check"],
    "limits": [PYTHON, "-m", "scripts.maintenance.limits"],
}


def main() -> int:
    """Run the checks, or those named; return 1 if any failed."""
    unknown = set(sys.argv[1:]) - set(CHECKS)
    if unknown:
        print(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
        return 2
    failed = [name for name in sys.argv[1:] or CHECKS if not passes(name)]
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def passes(name: str) -> bool:
    """Run one check; show what it says only if it fails."""
    began = time.monotonic()
    done = subprocess.run(
        CHECKS[name],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    verdict = "FAILED" if done.returncode else "ok"
    print(f"{name:<10} {verdict}  {time.monotonic() - began:.1f} s", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
