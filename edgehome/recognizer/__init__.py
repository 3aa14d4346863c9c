"""From a frame to a probability for every label: a stream MoViNet and what lies around it.

`manifest` says what a model file is and holds it to its hash, `tflite_file` reads its graph,
`head` and `pooling` do outside the graph what the graph does badly, and `litert` runs it.
`manifest` and `tflite_file` need the standard library only.
"""
