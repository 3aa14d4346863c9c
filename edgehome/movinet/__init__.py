"""The graph compiler: a stream MoViNet's weights in, a .tflite file for one frame at a time out.

`architecture` says what the networks look like, `weights` how their numbers are named, `original`
reads both out of a file that Google's tools wrote, and `compiler` writes ours.
"""
