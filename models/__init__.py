"""What makes the models; nothing here runs on a node."""
