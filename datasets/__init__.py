"""Pictures on disk to training tensors."""
