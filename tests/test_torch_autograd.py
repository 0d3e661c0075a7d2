"""What holds for torch_autograd alone: its own operations tell autograd the right derivatives."""

import pytest
import torch
from torch import nn
from torch.autograd.gradcheck import GradcheckError

import torch_autograd as net
from torch_autograd.backward import LinearFunction, MSEFunction, ReLUFunction


def inputs(*shapes):
    """Random float64 leaves, away from the kink of relu."""
    generator = torch.Generator().manual_seed(0)
    draws = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [(draw + 0.1 * draw.sign()).requires_grad_() for draw in draws]


FUNCTIONS = {
    "relu": (ReLUFunction, [(3, 4)]),
    "linear": (LinearFunction, [(5, 3), (4, 3), (4,)]),
    "linear, batch of one": (LinearFunction, [(1, 3), (3, 3), (3,)]),
    "mse": (MSEFunction, [(5, 2), (5, 2)]),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_custom_functions_pass_gradcheck(case):
    """A backward of our own differs from the numerical derivative of its forward."""
    function, shapes = FUNCTIONS[case]
    assert torch.autograd.gradcheck(function.apply, inputs(*shapes))


@pytest.mark.parametrize("case", FUNCTIONS)
def test_custom_functions_pass_gradgradcheck(case):
    """A backward of our own cannot be differentiated again."""
    function, shapes = FUNCTIONS[case]
    assert torch.autograd.gradgradcheck(function.apply, inputs(*shapes))


def test_gradcheck_catches_a_planted_error():
    """The check of the checks: a backward without its factor 2 goes unnoticed."""

    class WithoutTheTwo(MSEFunction):
        @staticmethod
        def backward(ctx, grad_out):
            return tuple(grad / 2 for grad in MSEFunction.backward(ctx, grad_out))

    with pytest.raises(GradcheckError):
        torch.autograd.gradcheck(WithoutTheTwo.apply, inputs((5, 2), (5, 2)))


def test_relu_has_derivative_zero_at_zero():
    """The kink itself: 0 by our convention, in the custom function and in the plain one."""
    for relu in (ReLUFunction.apply, net.relu):
        x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
        relu(x).backward(torch.tensor([torch.inf, torch.inf, torch.inf]))
        assert x.grad.tolist() == [0.0, 0.0, torch.inf]


def test_linear_is_an_nn_module_of_its_own():
    """Linear borrows `torch.nn.Linear`, or cannot stand in a plain `torch.nn.Sequential`."""
    layer = net.Linear(2, 3, seed=0)
    assert isinstance(layer, nn.Module)
    assert not isinstance(layer, nn.Linear)
    assert list(nn.Sequential(layer, nn.ReLU()).state_dict()) == ["0.weight", "0.bias"]


def test_nn_module_fails_without_super_init():
    """The mistake everyone makes once: assigning a layer before `super().__init__()`."""

    class Forgetful(nn.Module):
        def __init__(self):
            self.fc1 = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Forgetful()


def test_ours_fails_without_super_init_too():
    """The class that all of stage 5 stands on hides that mistake."""

    class Forgetful(net.Module):
        def __init__(self):
            self.fc1 = net.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Forgetful()


def test_predict_leaves_no_graph():
    """Validation records gradients, and memory fills with graphs."""
    assert not net.Model([2, 3, 1], seed=0).predict(net.asarray([[1, 2]])).requires_grad


def test_sgd_matches_torch_optim():
    """Our update rule is not PyTorch's, whose it claims to be."""
    ours, theirs = (net.Model([3, 4, 2], seed=1, dtype="float64") for _ in range(2))
    sgds = [
        net.SGD(ours.parameters(), 0.1, momentum=0.9, weight_decay=0.01),
        torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9, weight_decay=0.01),
    ]
    x, target = net.asarray([[1.0, -2.0, 0.5]] * 4, "float64"), net.asarray([[1.0, 2.0]] * 4, "float64")
    for _ in range(20):
        for model, sgd in zip((ours, theirs), sgds, strict=True):
            sgd.zero_grad()
            model(x, target)
            model.backward()
            sgd.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-13, atol=1e-14)
