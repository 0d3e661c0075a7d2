"""The page: one idea, five codes, every number, as static files that are made from the code that is tested.

`listing` lays the versions of each name out, `sums` writes out where each number came from, `mistakes` plants one wrong
line, `pitfalls` has what goes wrong, `evidence` what specs and bench said, and `build` writes the pages.
"""
