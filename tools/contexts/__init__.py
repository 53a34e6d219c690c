"""What a context is worth: contexts trained on the latents of frozen transforms, for equal time."""
