"""Clips: frames coded alone or with the previous frame as reference."""
