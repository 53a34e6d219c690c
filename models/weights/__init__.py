"""Weights that ship with the package, with a card for each."""
