"""What test_train.py runs in processes of their own: a command, its `arguments` and `environment` given."""

import os

from nacre.tools.cli import main

if __name__ == "<run_path>":
    os.environ.update(environment)  # type: ignore[name-defined]  # noqa: F821
    raise SystemExit(main(arguments))  # type: ignore[name-defined]  # noqa: F821
