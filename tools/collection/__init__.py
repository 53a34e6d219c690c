"""Training tiles collected from photographs in git repositories."""
