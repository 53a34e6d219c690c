"""Networks: transforms, priors, the exact scale branch, and the weights that are shipped."""
