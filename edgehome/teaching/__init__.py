"""Teaching an activity from a handful of examples of one home.

`lesson` holds the examples, `general` the negatives of other places that come with a model,
`learner` makes a head of both, `honesty` says how good it is, `lessonfile` is the file, `curves`
measures what a number of examples gives on labelled clips. numpy only; no time and no chance.
"""
