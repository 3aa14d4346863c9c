"""Making a model of our own: rendered scenes, training, and what goes in the box."""
