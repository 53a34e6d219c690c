"""Numbers to bits and back: frequency tables, the coder, the order of symbols."""
