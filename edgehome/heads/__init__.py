"""Small classifiers over a window of embeddings: `fall`, `fighting`, `person`, or one's own.

`statistics` makes numbers of a window, `head` is one classifier and its file, `training` and
`selection` make one from labelled footage, `measures` says how good one is. They need numpy and
nothing else, so a head can be taught on the Pi itself.
"""
