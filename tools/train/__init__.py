"""Training: from pictures to a checkpoint."""
