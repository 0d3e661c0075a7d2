"""One neural net from the foundations, in fastai: its Module, Optimizer and Learner.

Read it in the order of its stages: arrays, neuron, layer, mlp, backward, module, training; then parallel.
"""

from .arrays import (
    DTYPES,
    add,
    asarray,
    broadcast_shapes,
    devices,
    multiply,
    shape,
    synchronize,
    tolist,
    transpose,
    unsqueeze,
)
from .neuron import neuron, relu
from .layer import MATMULS, kaiming_std, layer, linear, matmul, normal, xavier_std
from .mlp import init_mlp, mlp, mse
from .backward import linear_grad, loss_and_grads, mse_grad, relu_grad
from .module import Linear, MSELoss, Model, Module, Parameter, ReLU, Sequential
from .training import SGD, Batches, CrossEntropyLoss, Solved, accuracy, cross_entropy, cross_entropy_grad, fit
from .parallel import fit_parallel, process_group

__all__ = [
    "DTYPES",
    "add",
    "asarray",
    "broadcast_shapes",
    "devices",
    "multiply",
    "shape",
    "synchronize",
    "tolist",
    "transpose",
    "unsqueeze",
    "neuron",
    "relu",
    "MATMULS",
    "kaiming_std",
    "layer",
    "linear",
    "matmul",
    "normal",
    "xavier_std",
    "init_mlp",
    "mlp",
    "mse",
    "linear_grad",
    "loss_and_grads",
    "mse_grad",
    "relu_grad",
    "Linear",
    "MSELoss",
    "Model",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "SGD",
    "Batches",
    "CrossEntropyLoss",
    "Solved",
    "accuracy",
    "cross_entropy",
    "cross_entropy_grad",
    "fit",
    "fit_parallel",
    "process_group",
]
