"""The command line and the long jobs."""
