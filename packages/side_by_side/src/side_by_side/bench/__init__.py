"""How fast the same net is in every way, how far each is from the limit, and where the curves cross.

`plan` says which cells there are, `session` times them, `results` is the document that comes out, and `terminal`,
`markdown` and `page` show it. Times come from pytest-benchmark (`absolute`), ratios from interleaved pairs (`pairs`).
`goals` says how fast each package should be, and `scaling` what several processes make of a step.
"""
