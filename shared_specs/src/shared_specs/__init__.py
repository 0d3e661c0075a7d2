"""One contract for one small neural net, and the specs that hold every implementation of it to the contract.

Run them with ``pytest --pyargs shared_specs --impl my_net``.
"""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version

STAGES = ("arrays", "neuron", "layer", "mlp", "backward", "module", "training")
"""The stages in the order in which the net grows; a stage uses earlier ones only."""

OPTIONAL = "parallel"
"""The stage beyond them that an implementation may leave out: it is missing there, and nothing is wrong."""

try:
    __version__ = _version("shared_specs")
except PackageNotFoundError:  # run from a source folder that is not installed
    __version__ = "unknown"
