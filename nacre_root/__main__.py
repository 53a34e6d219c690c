"""`python -m nacre` is the command `nacre`."""

from nacre.tools.cli import main

raise SystemExit(main())
