"""A storm over a node: everything around it is killed, frozen, cut off or full, many times."""
