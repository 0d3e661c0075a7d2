"""Whether the implementations are right, and whether the specs would notice if they were not.

`matrix` gathers what the specs said, and `accuracy` measures errors against exact arithmetic. `zoo` shows who catches
planted bugs; `mutants` changes an implementation in one place at a time, and `forks` runs the specs on each change.
"""
