"""The oracle itself: by hand, by NumPy and torch, and by what its differences must do at a kink."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from mpmath import mp  # type: ignore[import-untyped]

from shared_specs import oracle
from shared_specs.cases import ALL_NETS, DEAD, ERRORS, FACTORS, NETS, TIED, Net, answers
from shared_specs.oracle import ReLU, exact, flat

HALF = Fraction(1, 2)


# ------------------------------------------------------------------------------------------------- by hand

ONE_UNIT = [([[3]], [-1]), ([[-2]], [4])]  # x = 2: z = 5, relu 5, y = −6; target 1: loss 49


def test_forward_by_hand() -> None:
    """2 · 3 − 1 = 5, which relu keeps; 5 · −2 + 4 = −6, which no relu cuts; (−6 − 1)² = 49."""
    assert oracle.mlp(*exact(([[2]], ONE_UNIT))) == [[-6]]
    assert oracle.loss_and_grads(*exact((ONE_UNIT, [[2]], [[1]])))[0] == 49


def test_gradients_by_hand() -> None:
    """∂y = 2 · −7 = −14; ∂w₂ = −14 · 5, ∂b₂ = −14; ∂z = −14 · −2 = 28; ∂w₁ = 28 · 2, ∂b₁ = 28; ∂x = 28 · 3."""
    arguments = exact((ONE_UNIT, [[2]], [[1]]))
    assert oracle.loss_and_grads(*arguments)[1] == exact([([[56]], [28]), ([[-70]], [-14])])
    assert oracle.input_grad(*arguments) == [[84]]


def test_article_by_hand() -> None:
    """The article's two neurons on its two samples."""
    w, b = [[5, 6], [7, 8]], [0, 0]
    assert oracle.linear(*exact(([[1, 2], [3, 4]], w, b))) == [[19, 22], [43, 50]]
    assert oracle.layer(*exact(([3, 4], [[5, 7], [6, 8]], b))) == [43, 50]
    assert oracle.matmul(*exact(([[1, 2], [3, 4]], w))) == [[19, 22], [43, 50]]
    assert oracle.neuron(*exact(([1, 2], [6, 8], 5))) == 27


def test_mse_by_hand() -> None:
    """(1 + 4 + 0 + 9) / 4, and 2 (output − target) / 4."""
    output, target = exact(([[1, 2], [3, 4]], [[0, 4], [3, 1]]))
    assert oracle.mse(output, target) == Fraction(14, 4)
    assert oracle.mse_grad(output, target) == [[HALF, -1], [0, Fraction(3, 2)]]
    assert oracle.mse_grad(exact([[1], [2]]), exact([0, 4])) == [[1], [-2]]


def test_linear_grad_by_hand() -> None:
    """Each number that went in gets what it was multiplied with; the bias the sum over the batch."""
    grad_x, grad_w, grad_b = oracle.linear_grad(*exact(([[1, 10], [2, 20]], [[3], [5]], [[7, 11]])))
    assert grad_x == [[7 + 110], [14 + 220]]
    assert grad_w == [[3 + 10, 30 + 100]]
    assert grad_b == [3, 30]


def test_sgd_by_hand() -> None:
    """lr 1/2, momentum 1/2, decay 1/4 at p = 4, gradients 1 and 3: v = 2, p = 3; v = 1 + 3 + 3/4, p = 5/8."""
    p, v = oracle.sgd_step([Fraction(4)], [Fraction(1)], None, HALF, HALF, HALF / 2)
    assert (p, v) == ([3], [2])
    p, v = oracle.sgd_step(p, [Fraction(3)], v, HALF, HALF, HALF / 2)
    assert (p, v) == ([Fraction(5, 8)], [Fraction(19, 4)])


def test_training_by_hand() -> None:
    """w = 1 on (1, 3): loss 4, ∂w = ∂b = −4; lr 1/8: w = 1 + 1/2, b = 1/2; then loss 1."""
    batch = exact(([[1]], [[3]]))
    losses, path = oracle.train(exact([([[1]], [0])]), [batch, batch], HALF / 4, Fraction(0), Fraction(0))
    assert losses == [4, 1]
    assert path[0] == [([[Fraction(3, 2)]], [HALF])]


def test_unsqueeze_by_hand() -> None:
    """A pair of brackets around everything, around the rows, or around each number."""
    a = [[1, 2], [3, 4]]
    assert oracle.unsqueeze(a, 0) == oracle.unsqueeze(a, -3) == [[[1, 2], [3, 4]]]
    assert oracle.unsqueeze(a, 1) == oracle.unsqueeze(a, -2) == [[[1, 2]], [[3, 4]]]
    assert oracle.unsqueeze(a, 2) == oracle.unsqueeze(a, -1) == [[[1], [2]], [[3], [4]]]


# ------------------------------------------------------------------------------------------------- at the kink


def test_step_is_halved_until_no_unit_crosses() -> None:
    """relu at 1/8 with step 1 would have slope (9/8 − 0) / 2; the first step that crosses nothing is 1/16."""
    points: list[Fraction] = []

    def relu(z: Fraction, unit: ReLU) -> Fraction:
        points.append(z)
        return Fraction(unit(z))

    assert oracle.central_difference(relu, Fraction(1, 8), Fraction(1)) == 1
    assert max(points[-2:]) == Fraction(1, 8) + Fraction(1, 16)


def test_unit_at_its_kink_counts_as_off() -> None:
    """relu′(0) = 0, and its neighbours are differenced as ever."""
    assert oracle.relu_grad(*exact(([5, 5, 5], [0, 1, -1]))) == [0, 5, 0]


def test_tied_net_tells_the_conventions_apart() -> None:
    """With relu′(0) = 1 the first sample, whose units both stand at 0, would move the first layer too."""
    (grad_w, grad_b), (w_last, _) = answers(TIED)[1][0], exact(TIED.params[1])
    grad_out = oracle.mse_grad(oracle.mlp(*exact((TIED.x, TIED.params))), exact(TIED.target))
    first, second = oracle.matmul(grad_out, oracle.transpose(w_last))  # at the hidden units, before the mask
    assert all(first)
    assert grad_b == [second[0], 0]
    assert grad_w == [[2 * second[0], 0], [-second[0], 0]]


def test_central_differences_are_exact_at_any_step() -> None:
    """The loss is quadratic between kinks, so a smaller step changes nothing: exact, not merely close."""
    net = NETS[8]
    x, target = exact((net.x, net.target))
    for step in (Fraction(1), Fraction(1, 3), Fraction(1, 10**9)):
        grads = oracle.gradient(
            lambda params, unit: oracle.mse(oracle.mlp(x, params, unit), target), exact(net.params), step
        )
        assert grads == answers(net)[1]


# ------------------------------------------------------------------------------------------------- by other libraries


@pytest.mark.parametrize("net", ALL_NETS, ids=str)
def test_gradients_by_torch(net: Net) -> None:
    """PyTorch's own autograd, in float64."""
    tensors = [torch.tensor(values, dtype=torch.float64, requires_grad=True) for pair in net.params for values in pair]
    y = torch.tensor(net.x, dtype=torch.float64, requires_grad=True)
    leaves = [*tensors, y]
    for w, b in zip(tensors[0:-2:2], tensors[1:-2:2], strict=True):
        y = torch.relu(y @ w + b)
    output = (y @ tensors[-2] + tensors[-1]).flatten()
    loss = ((output - torch.tensor(net.target, dtype=torch.float64).flatten()) ** 2).mean()
    mine = [
        *(grad for pair in answers(net)[1] for grad in pair),
        oracle.input_grad(*exact((net.params, net.x, net.target))),
    ]
    assert float(answers(net)[0]) == pytest.approx(loss.item(), rel=1e-13)
    for grad, theirs in zip(mine, torch.autograd.grad(loss, leaves), strict=True):
        expected = theirs.flatten().tolist()
        largest = max(map(abs, expected))
        assert [float(value) for value in flat(grad)] == pytest.approx(expected, rel=0, abs=1e-13 * largest)


@pytest.mark.parametrize(("a", "b"), FACTORS, ids=str)
def test_matmul_by_numpy(a: list[list[float]], b: list[list[float]]) -> None:
    """Dyadic numbers are exact in float64, so the two must be equal."""
    assert oracle.matmul(*exact((a, b))) == (np.array(a) @ np.array(b)).tolist()


@pytest.mark.parametrize(
    "shapes", [((2, 3), (3,)), ((2, 1), (3,)), ((2, 1, 4), (3, 1)), ((), (2,)), ((1,), (0,))], ids=str
)
def test_broadcasting_by_numpy(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """Every element of a sum and a product of arrays of different ranks."""
    a, b = (np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape) - 1.5 for shape in shapes)
    assert oracle.add(a.tolist(), b.tolist()) == (a + b).tolist()
    assert oracle.multiply(a.tolist(), b.tolist()) == (a * b).tolist()


@pytest.mark.parametrize("weight_decay", [0.0, 0.25])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_sgd_by_torch(momentum: float, weight_decay: float) -> None:
    """torch.optim.SGD itself, on dyadic numbers, where float64 rounds nothing."""
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=0.125, momentum=momentum, weight_decay=weight_decay)
    mine, buffers = exact([1, -2]), None
    for grad in ([0.5, 4.0], [-1.0, 0.25], [2.0, 2.0]):
        parameter.grad = torch.tensor(grad, dtype=torch.float64)
        optimizer.step()
        mine, buffers = oracle.sgd_step(mine, exact(grad), buffers, *map(Fraction, (0.125, momentum, weight_decay)))
        assert mine == parameter.tolist()


# ------------------------------------------------------------------------------------------------- beyond fractions

TINY = Fraction(1, 10**45)


def test_cross_entropy_by_hand() -> None:
    """log 3 for three equal logits; log(1 + e⁻¹), its series, for logits 1 and 0; 2000 for a certain mistake."""
    with mp.workdps(60):
        assert abs(oracle.cross_entropy(exact([[7, 7, 7]]), [1]) - oracle.fraction(mp.log(3))) < TINY
        series = mp.nsum(lambda k: (-1) ** (int(k) + 1) * mp.exp(-k) / k, [1, mp.inf])
        assert abs(oracle.cross_entropy(exact([[1, 0]]), [0]) - oracle.fraction(series)) < TINY
    assert abs(oracle.cross_entropy(exact([[1000, -1000]]), [1]) - 2000) < TINY


def test_cross_entropy_grad_by_hand() -> None:
    """Two equal logits: (1/2, 1/2) less the one-hot, over a batch of two."""
    grad = oracle.cross_entropy_grad(exact([[0, 0], [3, 3]]), [0, 1])
    expected = [[-HALF / 2, HALF / 2], [HALF / 2, -HALF / 2]]
    assert all(abs(mine - wanted) < TINY for mine, wanted in zip(flat(grad), flat(expected), strict=True))


def test_cross_entropy_grad_is_softmax_less_one_hot() -> None:
    """The differences, which know no formula, agree with the formula to 45 digits."""
    logits, labels = exact([[1, -2, HALF], [1000, 0, 998]]), [2, 0]
    with mp.workdps(60):
        for row, label, grads in zip(logits, labels, oracle.cross_entropy_grad(logits, labels), strict=True):
            parts = oracle.softmax([mp.mpf(z.numerator) / z.denominator for z in row])
            for j, grad in enumerate(grads):
                assert abs(grad - oracle.fraction((parts[j] - (j == label)) / 2)) < TINY


def test_class_gradients_end_in_those_of_the_logits() -> None:
    """In a net of one layer the bias gets the sum of the logits' gradients."""
    net = NETS[5]
    x, params = exact((net.x, net.params))
    loss, ((_, grad_b),) = oracle.class_loss_and_grads(params, x, [0, 1, 2, 1, 0])
    logits = oracle.mlp(x, params)
    columns = oracle.transpose(oracle.cross_entropy_grad(logits, [0, 1, 2, 1, 0]))
    assert loss == oracle.cross_entropy(logits, [0, 1, 2, 1, 0])
    assert all(abs(mine - sum(column)) < TINY for mine, column in zip(grad_b, columns, strict=True))


def test_init_statistics_by_hand() -> None:
    """Half a bell has mean σ/√(2π) and mean square σ²/2; 68.27 % lie within one σ."""
    mean, std = oracle.relu_of_normal(2.0)
    assert mean == pytest.approx(2 / (2 * np.pi) ** 0.5, rel=1e-15)
    assert std**2 + mean**2 == pytest.approx(2, rel=1e-15)
    assert oracle.within(1) == pytest.approx(0.682689492137086, rel=1e-14)
    assert abs(oracle.xavier_std(4) - HALF) < TINY
    assert abs(oracle.kaiming_std(8) - HALF) < TINY


# ------------------------------------------------------------------------------------------------- the shared inputs


def sides(net: Net) -> list[list[int]]:
    """On, off or at the kink, for each hidden layer's units over the batch."""
    unit = ReLU()
    oracle.mlp(exact(net.x), exact(net.params), unit)
    ends = np.cumsum([0, *(len(net.x) * width for width in net.sizes[1:-1])])
    return [unit.sides[start:end] for start, end in pairwise(ends)]


@pytest.mark.parametrize("net", NETS, ids=str)
def test_nets_mask_no_mistake(net: Net) -> None:
    """Each hidden layer has units on and off, an output is below 0, no gradient vanishes, no unit is near its kink."""
    assert all(set(layer) == {-1, 1} for layer in sides(net))
    assert min(flat(oracle.mlp(*exact((net.x, net.params))))) < 0
    assert all(sum(value != 0 for value in flat(grad_w)) > 1 for grad_w, _ in answers(net)[1])
    assert all(value != 0 for value in flat((net.params, net.x, net.target)))


def test_special_nets_are_what_they_say() -> None:
    """TIED has both units at the kink in its first sample; DEAD has none on."""
    assert sides(TIED) == [[0, 0, 1, -1]]
    assert sides(DEAD) == [[-1, -1, -1, -1]]


def test_inputs_are_exact_in_float32() -> None:
    """Else float32 would compute with other numbers than the oracle."""
    numbers = flat([[net.x, net.target, [list(pair) for pair in net.params]] for net in ALL_NETS])
    others = flat([list(map(list, FACTORS)), list(map(list, ERRORS))])
    assert all(float(np.float32(number)) == number for number in [*numbers, *others])
