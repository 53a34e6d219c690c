"""Export: a trained network to a weights file for coding."""
