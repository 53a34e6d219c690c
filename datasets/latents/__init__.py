"""Data sets of coded latents: packing pictures into shards, and reading them for training"""
