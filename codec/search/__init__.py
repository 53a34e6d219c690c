"""Searches of the encoder: cheaper symbols, the coding mode of cells, and the quality that reaches a goal."""
