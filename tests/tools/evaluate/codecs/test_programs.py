"""Programs of codecs: none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from nacre.tools.evaluate.codecs.programs import run_program


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="POSIX: signals of one's own process")
def test_a_signal_while_a_program_starts_does_not_leave_it_behind(tmp_path, monkeypatch):
    started, start = [], subprocess.Popen

    def interrupted(*arguments, **options):
        started.append(start(*arguments, **options))
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_program([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, 30)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)
