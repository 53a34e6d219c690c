"""Converts models of other projects to weights files of nacre."""
