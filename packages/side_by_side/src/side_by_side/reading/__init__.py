"""What to read side by side: the code of all implementations, and their numbers.

`alignment` finds the definitions in a source and sets two versions beside each other; `diff` shows two implementations
in that way. `code` has the distinct versions of each name of the contract, `words` says why they differ, `values` calls
the name on one small net, `trace` notes what every line of the call computed, and `show` prints all of that. `ledger`
has every number of one way forward and back beside the exact one, and `culprit` names the line that made a wrong one.
The folder site makes the pages that show all of it.
"""
