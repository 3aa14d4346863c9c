"""From a frame to a probability for every label: a compiled stream MoViNet and what lies around it.

`manifest` says what a model file is and holds it to its hash, `tflite_file` reads its graph and
`compiled` finds in it what it is driven by; these three need the standard library only. `stream`
drives one in the runtime that `litert` opens, `pooling` keeps its means over time, `member` adds
the heads, and `recognizer` makes probabilities of one member or of several.
"""
