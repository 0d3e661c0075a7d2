"""What to read side by side: the code of two implementations, and the numbers of all.

`diff` aligns a stage by definition; `ledger` has every number of one way forward and back beside the exact one, and
`culprit` names the line that made a wrong one. The folder site makes the pages that show all of it.
"""
