"""A module of this package as a program: what it finds in a process of its own, which it prints last, as JSON."""

import json
import os
import subprocess
import sys
from typing import Any


def run(module: str, name: str, timeout: float | None = None, **own: str) -> subprocess.CompletedProcess[str]:
    """The module's run on an implementation that this process can import, with environment variables of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **own}
    command = [sys.executable, "-m", module, name]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=timeout)


def found(ran: subprocess.CompletedProcess[str]) -> Any:
    """What it printed last."""
    return json.loads(ran.stdout.splitlines()[-1])
