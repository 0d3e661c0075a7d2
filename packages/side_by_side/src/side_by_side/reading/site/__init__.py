"""The page: one idea, five codes, every number, as static files that are made from the code that is tested.

`code` finds the versions of each name, `listing` lays them out, `trace` runs them and watches every line, `sums` writes
out where each number came from, `mistakes` plants one wrong line, `pitfalls` has what goes wrong, `evidence` what specs
and bench said, and `build` writes the pages. The words are in the folder `words`.
"""
