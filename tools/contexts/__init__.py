"""Comparison of contexts, trained on the latents of frozen transforms for equal time."""
