"""Networks: model families, the parts that they are made of, and their weights. No bytes of pictures."""
