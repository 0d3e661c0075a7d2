"""What holds for torch_autograd alone: PyTorch as it is, and three operations that tell autograd their derivative."""

from fractions import Fraction

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


class OwnLinear(net.Linear):
    """Linear by our own Function."""

    def forward(self, x):
        """x @ weightᵀ + bias."""
        return LinearFunction.apply(x, self.weight, self.bias)


class OwnReLU(net.Module):
    """ReLU by our own Function."""

    forward = staticmethod(ReLUFunction.apply)


class OwnMSELoss(net.Module):
    """MSELoss by our own Function."""

    forward = staticmethod(MSEFunction.apply)


def test_a_model_of_the_custom_functions_has_the_same_gradients():
    """The lesson's chain rule is not the one that PyTorch computes with."""
    ours, plain = net.Model([3, 4, 2], loss=OwnMSELoss(), dtype="float64"), net.Model([3, 4, 2], dtype="float64")
    ours.layers = net.Sequential(OwnLinear(3, 4, dtype="float64"), OwnReLU(), OwnLinear(4, 2, dtype="float64"))
    ours.load_state_dict(plain.state_dict())
    x, target = inputs((5, 3), (5, 2))
    torch.testing.assert_close(ours(x, target), plain(x, target), rtol=1e-14, atol=0)
    for model in (ours, plain):
        model.backward()
    for p, q in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-13, atol=1e-15)


def test_relu_has_derivative_zero_at_zero():
    """The kink itself: 0 by our convention, in the custom function, in the plain one and in the layer."""
    for relu in (ReLUFunction.apply, net.relu, net.ReLU()):
        x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
        relu(x).backward(torch.tensor([torch.inf, torch.inf, torch.inf]))
        assert x.grad.tolist() == [0.0, 0.0, torch.inf]


def test_the_classes_are_those_of_torch():
    """A class of our own hides what PyTorch does."""
    assert (net.Module, net.Sequential, net.Parameter) == (nn.Module, nn.Sequential, nn.Parameter)


@pytest.mark.parametrize("layer", [net.Linear, net.ReLU, net.MSELoss, net.CrossEntropyLoss, net.Model])
def test_nothing_of_nn_module_is_overridden(layer):
    """A layer bends `torch.nn.Module` instead of using it."""
    assert vars(nn.Module).keys() & vars(layer).keys() <= {"__init__", "forward", "__module__", "__doc__"}


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


def test_asarray_never_rounds_through_float32():
    """The default dtype takes digits from numbers that were asked for in float64, or as whole ones."""
    assert net.asarray([Fraction(1, 3)], "float64").tolist() == [1 / 3]
    assert net.asarray([2**24 + 1, Fraction(1)], "int64").tolist() == [2**24 + 1, 1]


def test_asarray_takes_a_parameter_and_shares_nothing_with_it():
    """Numbers that are being learned cannot be read, or change with what was read."""
    parameter = net.Parameter(torch.ones(2, dtype=torch.float64))
    array = net.asarray(parameter)
    array += 1
    assert (array.dtype, array.requires_grad, parameter.tolist()) == (torch.float64, False, [1, 1])


def test_predict_leaves_no_graph():
    """Validation records gradients, and memory fills with graphs."""
    assert not net.Model([2, 3, 1], seed=0).predict(net.asarray([[1, 2]])).requires_grad


def test_results_leave_no_graph():
    """A gradient, or a loss beside it, keeps a whole graph alive."""
    x, target, w, b = (net.asarray(values) for values in ([[1, 2]], [[1]], [[1], [2]], [3]))
    loss, [grads] = net.loss_and_grads([(w, b)], x, target)
    grads += *net.linear_grad(target, x, w), net.mse_grad(x, x), net.relu_grad(x, x)
    labels = net.asarray([0], "int64")
    for result in (loss, *grads, net.cross_entropy_grad(x, labels), net.linear(x, w, b), net.cross_entropy(x, labels)):
        assert not result.requires_grad


def test_leaves_of_the_caller_get_no_gradient():
    """A function adds to the `.grad` of a tensor that it was given."""
    x, target, w, b = inputs((5, 3), (5, 2), (3, 2), (2,))
    net.loss_and_grads([(w, b)], x, target)
    net.linear_grad(target, x, w)
    assert [leaf.grad for leaf in (x, target, w, b)] == [None] * 4


@pytest.mark.parametrize(("momentum", "weight_decay"), [(0, 0), (0.9, 0), (0, 0.01), (0.9, 0.01)])
def test_sgd_matches_torch_optim(momentum, weight_decay):
    """Our update rule is not PyTorch's, whose it claims to be."""
    ours, theirs = (net.Model([3, 4, 2], seed=1, dtype="float64") for _ in range(2))
    sgds = [
        net.SGD(ours.parameters(), 0.1, momentum, weight_decay),
        torch.optim.SGD(theirs.parameters(), 0.1, momentum, weight_decay=weight_decay),
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
