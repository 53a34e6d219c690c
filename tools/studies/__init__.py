"""Studies: measurements that write JSON, from which the tables of the docs are made."""
