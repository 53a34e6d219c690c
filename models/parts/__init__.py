"""Parts that model families are composed of."""
