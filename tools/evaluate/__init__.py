"""Measurement of rate, distortion, seconds and memory on real files."""
