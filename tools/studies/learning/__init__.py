"""Learning from latents beside learning from pixels, on the same labelled pictures: docs/learning.md."""
