"""Every module of the tools is imported where the standard library lacks its POSIX parts, as on Windows."""

from __future__ import annotations

import subprocess
import sys
import textwrap

WITHOUT = """
    import os, pkgutil, signal, sys
    for name in ("resource", "fcntl", "termios", "tty", "pty", "pwd", "grp", "readline"):
        sys.modules[name] = None
    for name in ("killpg", "wait4", "getpgid", "setsid", "fork", "sysconf", "getuid", "mkfifo"):
        delattr(os, name)
    del signal.SIGHUP, signal.SIGKILL
    import nacre.tools as package
    names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    for name in names:
        __import__(name)
    print(*names)
"""


def test_every_module_is_imported_without_posix():
    command = [sys.executable, "-c", textwrap.dedent(WITHOUT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"nacre.tools.fuzz", "nacre.tools.studies.scaling"} <= set(done.stdout.split())
