"""Learning from latents against learning from pixels, on equal labelled pictures: docs/learning.md."""
