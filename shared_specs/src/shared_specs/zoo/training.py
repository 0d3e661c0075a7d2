"""Bugs of stage 6, training."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from shared_specs.oracle import elementwise

from .bug import Wrong, caught_by

Array = Any
Batch = tuple[Array, Array]


# ------------------------------------------------------------------------------------------------- cross-entropy


def exp(z: float) -> float:
    """e to the z; inf where Python would raise."""
    return math.exp(z) if z < 709 else math.inf


def log(p: float) -> float:
    """The natural logarithm; −inf at 0, where Python would raise."""
    return math.log(p) if p else -math.inf


def softmax(logits: list[float]) -> list[float]:
    """Exponentials as parts of their sum; the largest logit is subtracted, so that none overflows."""
    exps = [exp(z - max(logits)) for z in logits]
    return [e / sum(exps) for e in exps]


def mean_loss(right: Any, one: Callable[[list[float], int], float]) -> Callable[[Array, Array], Array]:
    """A cross_entropy that rejects what the right one does and takes the mean of `one(row of logits, label)`."""

    def cross_entropy(logits: Array, labels: Array) -> Array:
        right.cross_entropy(logits, labels)
        losses = [one(row, label) for row, label in zip(right.tolist(logits), right.tolist(labels), strict=True)]
        return right.like(logits, sum(losses) / len(losses))

    return cross_entropy


@caught_by("test_cross_entropy_is_the_mean_of_minus_log_softmax", "softmax without its maximum subtracted")
def softmax_overflows(right: Any) -> Wrong:
    """exp(1000) is inf, and inf/inf is nan: the maximum must be subtracted first."""

    def one(row: list[float], label: int) -> float:
        exps = list(map(exp, row))
        return -log(exps[label] / sum(exps)) if sum(exps) else math.nan

    return mean_loss(right, one)


@caught_by("test_cross_entropy_of_a_certain_answer", "an epsilon")
def cross_entropy_adds_an_epsilon(right: Any) -> Wrong:
    """log(p + 1e-8) never overflows, and never costs more than 18.4 either, however wrong the net is."""
    return mean_loss(right, lambda row, label: -log(softmax(row)[label] + 1e-8))


@caught_by("test_cross_entropy_is_the_mean_of_minus_log_softmax", "times too large: a mean's 1/n is missing")
def cross_entropy_is_a_sum(right: Any) -> Wrong:
    """The losses are added up and not divided by the batch."""

    def cross_entropy(logits: Array, labels: Array) -> Array:
        return right.times(right.cross_entropy(logits, labels), len(logits))

    return cross_entropy


@caught_by("test_cross_entropy_is_the_mean_of_minus_log_softmax", "log of base 2")
def cross_entropy_counts_bits(right: Any) -> Wrong:
    """The logarithm is of base 2."""
    return mean_loss(right, lambda row, label: -log(softmax(row)[label]) / math.log(2))


@caught_by("test_cross_entropy_is_the_mean_of_minus_log_softmax", "softmax taken twice")
def cross_entropy_takes_softmax_twice(right: Any) -> Wrong:
    """Logits are expected and probabilities come in, from a net that ends in a softmax already."""
    return mean_loss(right, lambda row, label: -log(softmax(softmax(row))[label]))


@caught_by("test_labels_that_are_no_classes_are_refused", "raised nothing")
def labels_count_from_the_end(right: Any) -> Wrong:
    """Label −1 is the last class, as indices are in Python."""

    def cross_entropy(logits: Array, labels: Array) -> Array:
        n_classes = right.shape(logits)[-1]
        return right.cross_entropy(logits, right.each(lambda c: c + n_classes if -n_classes <= c < 0 else c, labels))

    return cross_entropy


@caught_by("test_labels_that_are_no_classes_are_refused", "-100.*raised nothing")
def label_minus_100_is_skipped(right: Any) -> Wrong:
    """Samples with the label −100 do not count, as in torch: a wrong label file goes unnoticed."""

    def cross_entropy(logits: Array, labels: Array) -> Array:
        classes = right.tolist(labels)
        kept = [i for i, label in enumerate(classes) if label != -100]
        if len(kept) in (0, len(classes)):
            return right.cross_entropy(logits, labels)
        return right.cross_entropy(*(right.like(a, [right.tolist(a)[i] for i in kept]) for a in (logits, labels)))

    return cross_entropy


@caught_by("test_labels_that_are_floats_are_refused", "raised nothing")
def labels_are_cut_to_ints(right: Any) -> Wrong:
    """Targets of a regression are taken for classes, 1.5 for class 1."""

    def cross_entropy(logits: Array, labels: Array) -> Array:
        return right.cross_entropy(logits, right.asarray(elementwise(int, right.tolist(labels)), "int64"))

    return cross_entropy


@caught_by("test_nan_and_infinities_go_where_they_must", "likely mistake: a nan was hidden")
def softmax_passes_over_nan(right: Any) -> Wrong:
    """A nan among the logits counts as the smallest, and the loss of a broken net looks fine."""

    def cross_entropy(logits: Array, labels: Array) -> Array:
        return right.cross_entropy(right.each(lambda z: -1e308 if math.isnan(z) else z, logits), labels)

    return cross_entropy


@caught_by("test_arguments_stay_as_they_are", "changed its arguments")
def softmax_shifts_in_place(right: Any) -> Wrong:
    """The maximum is subtracted in the caller's logits."""

    def cross_entropy(logits: Array, labels: Array) -> Array:
        loss = right.cross_entropy(logits, labels)
        logits[:] = right.like(logits, [[z - max(row) for z in row] for row in right.tolist(logits)])
        return loss

    return cross_entropy


@caught_by("test_cross_entropy_grad_is_the_slope_of_cross_entropy", "one-hot is missing")
def cross_entropy_grad_forgets_the_one_hot(right: Any) -> Wrong:
    """The gradient is softmax alone, and pushes every logit down, the right one too."""

    def cross_entropy_grad(logits: Array, labels: Array) -> Array:
        right.cross_entropy_grad(logits, labels)
        rows = right.tolist(logits)
        return right.like(logits, [[p / len(rows) for p in softmax(row)] for row in rows])

    return cross_entropy_grad


@caught_by("test_cross_entropy_grad_is_the_slope_of_cross_entropy", "times too large: a mean's 1/n is missing")
def cross_entropy_grad_forgets_the_mean(right: Any) -> Wrong:
    """softmax − one-hot is the gradient of the sum; the loss is a mean."""

    def cross_entropy_grad(logits: Array, labels: Array) -> Array:
        return right.times(right.cross_entropy_grad(logits, labels), len(logits))

    return cross_entropy_grad


@caught_by("test_results_are_right_in_full_precision", "CrossEntropyLoss.*1 of 1 elements differ")
def cross_entropy_loss_takes_probabilities(right: Any) -> Wrong:
    """The net ends in a softmax and the loss takes another one: gradients are small, and learning is slow."""

    class CrossEntropyLoss(right.CrossEntropyLoss):
        def forward(self, output: Array, target: Array) -> Any:
            probabilities = [softmax(row) for row in right.tolist(output)]
            return super().forward(right.like(output, probabilities), target)

    return CrossEntropyLoss


# ------------------------------------------------------------------------------------------------- accuracy


@caught_by("test_accuracy_is_the_fraction_right", "A count for a fraction")
def accuracy_is_a_count(right: Any) -> Wrong:
    """The number of right answers is returned, not their fraction."""

    def accuracy(logits: Array, labels: Array) -> float:
        return float(right.accuracy(logits, labels) * len(logits))

    return accuracy


@caught_by("test_accuracy_of_nan_is_nan", "every nan is the first class")
def accuracy_of_nan_is_a_guess(right: Any) -> Wrong:
    """By argmax a nan is the first class, and a net that has diverged still scores."""

    def accuracy(logits: Array, labels: Array) -> float:
        return float(right.accuracy(right.each(lambda z: math.inf if math.isnan(z) else z, logits), labels))

    return accuracy


# ------------------------------------------------------------------------------------------------- SGD

Rule = Callable[..., tuple[float, float]]


def sgd(right: Any, rule: Rule) -> type:
    """An SGD that moves each number by `rule(p, g, v, lr, momentum, weight_decay)`, which returns the new p and v."""

    class SGD(right.SGD):
        def __init__(
            self, parameters: Iterable[Any], lr: float, momentum: float = 0.0, weight_decay: float = 0.0
        ) -> None:
            self.moved = list(parameters)
            super().__init__(self.moved, lr, momentum, weight_decay)
            self.rates = lr, momentum, weight_decay
            self.buffers: dict[int, Any] = {}

        def step(self) -> None:
            for i, parameter in enumerate(self.moved):
                if parameter.grad is not None:
                    buffer = self.buffers.get(i, elementwise(lambda _: 0.0, right.tolist(parameter.data)))
                    data, grad = right.tolist(parameter.data), right.tolist(parameter.grad)
                    parameter.data = right.like(parameter.data, elementwise(self.new_p, data, grad, buffer))
                    self.buffers[i] = elementwise(self.new_v, data, grad, buffer)

        def new_p(self, p: float, g: float, v: float) -> float:
            return rule(p, g, v, *self.rates)[0]

        def new_v(self, p: float, g: float, v: float) -> float:
            return rule(p, g, v, *self.rates)[1]

    return SGD


@caught_by("test_sgd_steps_as_torch_does", "The sign is wrong")
def sgd_climbs(right: Any) -> Wrong:
    """p + lr · v: the step goes up the gradient."""

    def rule(p: float, g: float, v: float, lr: float, momentum: float, weight_decay: float) -> tuple[float, float]:
        v = momentum * v + g + weight_decay * p
        return p + lr * v, v

    return sgd(right, rule)


@caught_by("test_sgd_steps_as_torch_does", "an average")
def sgd_averages_its_gradients(right: Any) -> Wrong:
    """v = momentum · v + (1 − momentum) · g, an average as in Adam: another learning rate than PyTorch's."""

    def rule(p: float, g: float, v: float, lr: float, momentum: float, weight_decay: float) -> tuple[float, float]:
        v = momentum * v + (1 - momentum) * (g + weight_decay * p)
        return p - lr * v, v

    return sgd(right, rule)


@caught_by("test_sgd_steps_as_torch_does", "decay bypasses the momentum")
def sgd_decays_beside_the_momentum(right: Any) -> Wrong:
    """Weight decay is taken from the parameter directly, as in AdamW, and does not pass through the momentum."""

    def rule(p: float, g: float, v: float, lr: float, momentum: float, weight_decay: float) -> tuple[float, float]:
        v = momentum * v + g
        return p - lr * (v + weight_decay * p), v

    return sgd(right, rule)


@caught_by("test_sgd_steps_as_torch_does", "Nesterov's")
def sgd_looks_ahead(right: Any) -> Wrong:
    """Nesterov's step, g + momentum · v, where plain momentum was asked for."""

    def rule(p: float, g: float, v: float, lr: float, momentum: float, weight_decay: float) -> tuple[float, float]:
        g += weight_decay * p
        v = momentum * v + g
        return p - lr * (g + momentum * v), v

    return sgd(right, rule)


@caught_by("test_sgd_keeps_a_momentum_for_each_parameter", "Buffers are kept by position")
def sgd_keeps_momentum_by_position(right: Any) -> Wrong:
    """Buffers are numbered by those parameters that have a gradient now: a late one gets its neighbour's momentum."""
    buffers: list[Array] = []

    class SGD(right.SGD):
        def __init__(self, parameters: Iterable[Any], lr: float, momentum: float = 0, weight_decay: float = 0) -> None:
            self.moved = list(parameters)
            super().__init__(self.moved, lr, momentum, weight_decay)
            self.rates = lr, momentum
            buffers.clear()

        def step(self) -> None:
            lr, momentum = self.rates
            moved = [parameter for parameter in self.moved if parameter.grad is not None]
            for i, parameter in enumerate(moved):
                if i == len(buffers):
                    buffers.append(right.times(parameter.grad, 0))
                buffers[i] = right.add(right.times(buffers[i], momentum), parameter.grad)
                parameter.data = right.add(parameter.data, right.times(buffers[i], -lr))

    return SGD


@caught_by("test_sgd_leaves_a_parameter_without_gradient_alone", "decays")
def sgd_decays_what_has_no_gradient(right: Any) -> Wrong:
    """A frozen parameter has no gradient, and shrinks nevertheless: weight decay takes the gradient for 0."""

    class SGD(right.SGD):
        def __init__(self, parameters: Iterable[Any], *rates: float, **more: float) -> None:
            self.moved = list(parameters)
            super().__init__(self.moved, *rates, **more)

        def step(self) -> None:
            frozen = [parameter for parameter in self.moved if parameter.grad is None]
            for parameter in frozen:
                parameter.grad = right.times(parameter.data, 0)
            super().step()
            for parameter in frozen:
                parameter.grad = None

    return SGD


@caught_by("test_sgd_leaves_a_parameter_without_gradient_alone", "NoneType")
def sgd_needs_a_gradient_everywhere(right: Any) -> Wrong:
    """A parameter that the loss does not use has no gradient, and the step crashes."""

    class SGD(right.SGD):
        def __init__(self, parameters: Iterable[Any], *rates: float, **more: float) -> None:
            self.moved = list(parameters)
            super().__init__(self.moved, *rates, **more)

        def step(self) -> None:
            for parameter in self.moved:
                parameter.grad = parameter.grad * 1
            super().step()

    return SGD


@caught_by("test_sgd_does_not_change_gradients", "added into the gradient itself")
def sgd_decays_in_the_gradient(right: Any) -> Wrong:
    """Weight decay is added into .grad itself, and once more at the next step."""

    class SGD(right.SGD):
        def __init__(self, parameters: Iterable[Any], lr: float, momentum: float = 0, weight_decay: float = 0) -> None:
            self.moved, self.decay = list(parameters), weight_decay
            super().__init__(self.moved, lr, momentum)

        def step(self) -> None:
            for parameter in self.moved:
                if parameter.grad is not None:
                    parameter.grad = right.add(parameter.grad, right.times(parameter.data, self.decay))
            super().step()

    return SGD


@caught_by("test_sgd_takes_a_generator_of_parameters", "The generator is used up")
def sgd_uses_its_parameters_up(right: Any) -> Wrong:
    """parameters() may be a generator; it is not kept as a list, and from the second step on nothing moves."""

    class SGD(right.SGD):
        def __init__(self, parameters: Iterable[Any], *rates: float, **more: float) -> None:
            listed = list(parameters)
            super().__init__(listed, *rates, **more)
            self.once = iter(listed)

        def step(self) -> None:
            if list(self.once):
                super().step()

    return SGD


@caught_by("test_sgd_zero_grad_forgets_every_gradient", "step after zero_grad still moves")
def sgd_zero_grad_does_nothing(right: Any) -> Wrong:
    """Gradients pile up over the batches."""

    class SGD(right.SGD):
        def zero_grad(self) -> None:
            pass

    return SGD


@caught_by("test_sgd_carries_a_nan_on", "a nan was hidden")
def sgd_skips_nan(right: Any) -> Wrong:
    """A gradient that is nan is taken for 0, and the loss curve does not show that the net has diverged."""

    def rule(p: float, g: float, v: float, lr: float, momentum: float, weight_decay: float) -> tuple[float, float]:
        v = momentum * v + (0.0 if math.isnan(g) else g) + weight_decay * p
        return p - lr * v, v

    return sgd(right, rule)


# ------------------------------------------------------------------------------------------------- Solved


@caught_by("test_solved_touches_no_other_parameter", "every parameter becomes 3")
def solved_sets_everything(right: Any) -> Wrong:
    """Every parameter becomes 3, whatever its name."""

    class Solved(right.Solved):
        def __init__(self, named_parameters: Iterable[tuple[str, Any]]) -> None:
            self.named = dict(named_parameters)
            super().__init__(self.named.items())

        def step(self) -> None:
            super().step()
            for name, parameter in self.named.items():
                if name != "fc1.bias":
                    parameter.data = right.each(lambda _: 3.0, parameter.data)

    return Solved


# ------------------------------------------------------------------------------------------------- Batches


@caught_by("test_batches_come_in_the_order_that_the_seed_decides", "the same again in some epoch")
def batches_repeat_their_order(right: Any) -> Wrong:
    """The order is drawn once, and is the same in every epoch."""

    class Batches(right.Batches):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            self.again = lambda: iter(right.Batches(*arguments, **more))

        def __iter__(self) -> Iterator[Batch]:
            return iter(self.again())

    return Batches


@caught_by("test_batches_come_in_the_order_that_the_seed_decides", "the shuffle is another one")
def batches_count_epochs_from_1(right: Any) -> Wrong:
    """The first epoch is shuffled by seed + 1, so no other package sees the same batches."""

    class Batches(right.Batches):
        def __init__(self, x: Array, target: Array, batch_size: int, seed: int) -> None:
            super().__init__(x, target, batch_size, seed + 1)

    return Batches


@caught_by("test_batches_show_every_sample_once_an_epoch", "short batch is dropped")
def batches_drop_the_last(right: Any) -> Wrong:
    """The last, short batch is left out."""

    class Batches(right.Batches):
        def __init__(self, x: Array, target: Array, batch_size: int, seed: int) -> None:
            super().__init__(x, target, batch_size, seed)
            self.full = batch_size

        def __iter__(self) -> Iterator[Batch]:
            return (batch for batch in super().__iter__() if len(batch[0]) == self.full)

    return Batches


@caught_by("test_batches_know_how_many_they_are", "forgets the short batch")
def batches_do_not_count_the_short_one(right: Any) -> Wrong:
    """len() is n // batch_size, which forgets the short batch at the end."""

    class Batches(right.Batches):
        def __init__(self, x: Array, target: Array, batch_size: int, seed: int) -> None:
            super().__init__(x, target, batch_size, seed)
            self.n = len(x) // batch_size

        def __len__(self) -> int:
            return self.n

    return Batches


@caught_by("test_batches_keep_each_target_with_its_sample", "shuffled apart")
def batches_shuffle_targets_apart(right: Any) -> Wrong:
    """Samples and targets are shuffled by two generators, so nothing can be learned."""

    class Batches(right.Batches):
        def __init__(self, x: Array, target: Array, batch_size: int, seed: int) -> None:
            super().__init__(x, target, batch_size, seed)
            self.others = right.Batches(x, target, batch_size, seed + 100)

        def __iter__(self) -> Iterator[Batch]:
            return ((x, target) for (x, _), (_, target) in zip(super().__iter__(), self.others, strict=True))

    return Batches


@caught_by("test_batches_keep_dtypes", "labels become floats")
def batches_make_labels_floats(right: Any) -> Wrong:
    """Samples and targets are put into one float array, and labels come out as floats."""

    class Batches(right.Batches):
        def __iter__(self) -> Iterator[Batch]:
            return ((x, right.asarray(elementwise(float, right.tolist(t)))) for x, t in super().__iter__())

    return Batches


@caught_by("test_batches_do_not_shuffle_the_data_itself", "in another order after an epoch")
def batches_shuffle_the_data_itself(right: Any) -> Wrong:
    """The caller's arrays are shuffled, and are in another order after each epoch."""

    class Batches(right.Batches):
        def __init__(self, x: Array, target: Array, batch_size: int, seed: int) -> None:
            super().__init__(x, target, batch_size, seed)
            self.theirs = lambda: (x, target)

        def __iter__(self) -> Iterator[Batch]:
            batches = list(super().__iter__())
            for mine, i in zip(self.theirs(), (0, 1), strict=True):
                mine[:] = right.like(mine, [sample for batch in batches for sample in right.tolist(batch[i])])
            return iter(batches)

    return Batches


@caught_by("test_batches_reject_data_of_different_lengths", "raised nothing")
def batches_cut_to_the_shorter(right: Any) -> Wrong:
    """zip() ends with the shorter of samples and targets, and the others disappear."""

    class Batches(right.Batches):
        def __init__(self, x: Array, target: Array, batch_size: int, seed: int) -> None:
            n = min(len(x), len(target))
            super().__init__(x[:n], target[:n], batch_size, seed)

    return Batches


# ------------------------------------------------------------------------------------------------- fit


@caught_by("test_fit_ends_where_exact_training_ends", "Gradients were not forgotten between batches")
def fit_forgets_zero_grad(right: Any) -> Wrong:
    """Gradients are not reset between batches, so each step is taken along the sum of all so far."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        losses: list[float] = []
        for _ in range(epochs):
            for x, target in batches:
                losses.append(float(model(x, target)))
                model.backward()
                optimizer.step()
                if on_batch:
                    on_batch(len(losses) - 1, losses[-1])
        return losses

    return fit


@caught_by("test_fit_returns_each_loss_before_its_step", "taken after the step")
def fit_takes_losses_after_the_step(right: Any) -> Wrong:
    """The loss of a batch is taken when the net has learned from it already."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        losses: list[float] = []
        for _ in range(epochs):
            for x, target in batches:
                optimizer.zero_grad()
                model(x, target)
                model.backward()
                optimizer.step()
                losses.append(float(model(x, target)))
                if on_batch:
                    on_batch(len(losses) - 1, losses[-1])
        return losses

    return fit


@caught_by("test_fit_returns_each_loss_before_its_step", "averaged over the epoch")
def fit_averages_losses_over_an_epoch(right: Any) -> Wrong:
    """One mean loss an epoch comes back instead of every batch's."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        losses, n = right.fit(model, batches, optimizer, epochs, on_batch), len(batches)
        return [sum(losses[i : i + n]) / n for i in range(0, len(losses), n)]

    return fit


@caught_by("test_fit_returns_python_floats", "Losses are arrays")
def fit_returns_arrays(right: Any) -> Wrong:
    """Losses are kept as arrays, each of which may hold on to the whole graph of its step."""

    def fit(model: Any, batches: Any, *arguments: Any) -> list[Any]:
        return [right.asarray(loss) for loss in right.fit(model, batches, *arguments)]

    return () if isinstance(right.asarray(0.0), float) else fit


@caught_by("test_fit_reports_each_step_with_its_number_and_loss", "begin at 1")
def fit_counts_steps_from_1(right: Any) -> Wrong:
    """on_batch is told that the first step is step 1."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        later = on_batch and (lambda step, loss: on_batch(step + 1, loss))
        return list(right.fit(model, batches, optimizer, epochs, later))

    return fit


@caught_by("test_fit_reports_each_step_with_its_number_and_loss", "start again at each epoch")
def fit_counts_each_epoch_anew(right: Any) -> Wrong:
    """Steps are counted from 0 in every epoch, and a learning curve draws over itself."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        modulo = on_batch and (lambda step, loss: on_batch(step % len(batches), loss))
        return list(right.fit(model, batches, optimizer, epochs, modulo))

    return fit


@caught_by("test_fit_reports_after_the_step", "lags one step behind")
def fit_reports_before_the_step(right: Any) -> Wrong:
    """on_batch sees the parameters as they were before the step that it is told of."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        losses: list[float] = []
        for _ in range(epochs):
            for x, target in batches:
                optimizer.zero_grad()
                losses.append(float(model(x, target)))
                model.backward()
                if on_batch:
                    on_batch(len(losses) - 1, losses[-1])
                optimizer.step()
        return losses

    return fit


@caught_by("test_fit_of_no_epochs_does_nothing", "Not to train still moves")
def fit_trains_one_epoch_too_many(right: Any) -> Wrong:
    """The loop runs to epochs inclusive."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        return list(right.fit(model, batches, optimizer, epochs + 1, on_batch))

    return fit
