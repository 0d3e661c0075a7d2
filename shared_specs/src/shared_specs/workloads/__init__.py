"""What a benchmark times: the same work, on the same numbers, for whoever does it, and the right answer to it.

`rows` lists the work, `row` finds some of it by name, `contender` finds who does it: an implementation of the contract,
the limit of a library, or a peer. `Contender.hindrance` says why it cannot, `Workload.answer` what must come out.
"""

from .contenders import Contender, contender, limit_of
from .rows import Workload, digest, net_of, row, rows, rungs_of

__all__ = ["Contender", "Workload", "contender", "digest", "limit_of", "net_of", "row", "rows", "rungs_of"]
