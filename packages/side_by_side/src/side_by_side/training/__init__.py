"""Every implementation trained on the same data, from the same start.

`data` has what is learned, `train` trains one, `lockstep` all at once, compared after every step, and `checkpoint`
keeps weights that any of them loads; `ranks` has several processes train one. `results` and `plots` show what came of
it; `init` shows how a start decides it.
"""
