"""Clips: frames coded by themselves or with the frame before."""
