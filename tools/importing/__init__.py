"""Models of other projects to weights files of nacre."""
