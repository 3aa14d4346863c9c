"""Whether the model need look: motion, and what is wrong with the view."""
