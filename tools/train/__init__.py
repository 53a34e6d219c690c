"""Training: data in, weights out."""
