"""What is normal before one camera, and how unusual a moment is: once in so many days.

`Normal` takes embeddings frame by frame and gives a return period. It learns representative
moments (`moments`), the directions in which they differ (`directions`), and how high a home's
own peaks reach (`returns`). `normalfile` makes bytes of it. No clock, no files, no randomness.
"""
