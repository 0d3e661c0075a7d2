"""Who does the work: an implementation of the contract, the limit of a library, a peer. All in the same terms."""

from typing import Protocol

from shared_specs import registry

from .implementations import Implementation
from .jobs import Job
from .limits import LIMITS
from .peers import PEERS
from .rows import Workload


class Contender(Protocol):
    """Somebody who is timed."""

    @property
    def name(self) -> str:
        """As `contender` knows it."""

    @property
    def kind(self) -> str:
        """implementation, limit or peer."""

    def hindrance(self, workload: Workload, dtype: str, device: str) -> str | None:
        """Why it cannot do the work here: "" if it does not provide it, else the reason. None if it can."""

    def prepare(self, workload: Workload, dtype: str, device: str) -> Job:
        """The work as it does it."""

    def check(self, workload: Workload, job: Job, dtype: str, device: str) -> float | None:
        """Run the job once; the largest error in ULPs, None where there is no answer to compare with.

        Raises AssertionError, naming the tensor and its error, where the result is wrong.
        """

    def synchronize(self, device: str) -> None:
        """Return when all work queued on the device is done."""


def contender(name: str) -> Contender:
    """The contender of that name: "limit:numpy", "peer:jax", else an implementation of the contract.

    Raises registry.UnknownImplementation, or whatever an import raises.
    """
    kind, _, rest = name.partition(":")
    if kind == "limit" and rest in LIMITS:
        return LIMITS[rest]
    if kind == "peer" and rest in PEERS:
        return PEERS[rest]
    return Implementation(name, registry.load(name))


def limit_of(name: str) -> str:
    """The limit that a contender is held against: that of the library whose arrays it computes with."""
    if name.startswith("peer:"):
        return f"limit:{PEERS[name.removeprefix('peer:')].library}"
    library = type(registry.load(name).asarray([0.0])).__module__.partition(".")[0]
    return f"limit:{library if library in ('numpy', 'torch') else 'python' if library == 'builtins' else 'numpy'}"
