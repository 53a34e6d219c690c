"""One module for each command of `nacre`."""
