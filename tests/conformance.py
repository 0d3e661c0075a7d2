"""Each package is proven against the contract's Protocols by a typed assignment: mypy reads this, nothing runs it."""

from typing import Any

from numpy.typing import NDArray
from torch import Tensor

import fastai_module
import numpy_impl
import pure_python
import torch_autograd
import torch_manual
from shared_specs import contract

in_pure_python: contract.Implementation[Any] = pure_python
in_numpy: contract.Implementation[NDArray[Any]] = numpy_impl
in_torch_by_hand: contract.ParallelImplementation[Tensor] = torch_manual
in_torch_with_autograd: contract.ParallelImplementation[Tensor] = torch_autograd
in_fastai: contract.ParallelImplementation[Tensor] = fastai_module
