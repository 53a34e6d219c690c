"""Export: a trained network to the weights that code."""
