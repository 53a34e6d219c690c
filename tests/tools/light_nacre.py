"""`nacre` whose encoder needs no torch: the file CODED for the pixels in PIXELS. It starts at once.

Tests run it in place of the command where shells and signals matter, and not the networks. With SIGNAL in
the environment that signal comes while a file is written.
"""

import os
import sys
from pathlib import Path
from unittest.mock import MagicMock

sys.modules.update(dict.fromkeys(("torch", "torch.nn", "torch.nn.functional"), MagicMock()))

from nacre import codec  # noqa: E402
from nacre.tools.cli import main  # noqa: E402
from nacre.tools.commands import encode  # noqa: E402


def coded(picture: codec.Picture, **_: object) -> bytes:
    assert picture.pixels.tobytes() == Path(os.environ["PIXELS"]).read_bytes()
    return Path(os.environ["CODED"]).read_bytes()


codec.encode = coded
encode._options = lambda args: {}
if "SIGNAL" in os.environ:
    os.fsync = lambda _: os.kill(os.getpid(), int(os.environ["SIGNAL"]))
if __name__ == "__main__":
    raise SystemExit(main())
