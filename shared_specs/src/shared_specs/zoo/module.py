"""Bugs of stage 5, module."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from shared_specs.oracle import flat

from .bug import Wrong, caught_by
from .by_hand import classes_by_hand

Array = Any
Parameter = Any
Named = Iterator[tuple[str, Parameter]]


# ------------------------------------------------------------------------------------------------- Parameter, Module


@caught_by("test_parameter_holds_its_data_and_no_gradient", "before anything was differentiated")
def parameter_starts_with_a_gradient(right: Any) -> Wrong:
    """A gradient of zeros is there from the start, so nothing tells a parameter that backward never reached."""

    def Parameter(data: Array) -> Any:
        parameter = right.Parameter(data)
        parameter.grad = right.times(data, 0)
        return parameter

    return Parameter


@caught_by("test_module_registers_what_is_assigned_later", "when somebody first asked")
def module_lists_its_parameters_only_once(right: Any) -> Wrong:
    """The list of parameters is kept from the first time that somebody asked; a layer added later never trains."""
    kept: dict[Any, list[tuple[str, Parameter]]] = {}

    class Module(right.Module):
        def named_parameters(self, *how: Any, **more: Any) -> Named:
            return iter(kept.setdefault(self, list(super().named_parameters(*how, **more))))

    return Module


@caught_by("test_module_counts_a_shared_parameter_once", "stepped and decayed twice")
def module_counts_a_shared_parameter_twice(right: Any) -> Wrong:
    """A Parameter with two names is listed under both, and is stepped and decayed twice."""
    names: dict[Any, list[str]] = {}

    class Module(right.Module):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if isinstance(value, right.Parameter):
                names.setdefault(self, []).append(name)

        def named_parameters(self, *how: Any, **more: Any) -> Named:
            listed = dict(super().named_parameters(*how, **more))
            yield from listed.items()
            yield from ((name, getattr(self, name)) for name in names.get(self, []) if name not in listed)

    return Module


@caught_by("test_module_lists_the_same_parameters_with_and_without_names", "disagree about what there is to train")
def parameters_skips_children(right: Any) -> Wrong:
    """parameters() gives the module's own Parameters, named_parameters() those of its children too."""

    class Module(right.Module):
        def parameters(self) -> Iterator[Parameter]:
            return (parameter for name, parameter in self.named_parameters() if "." not in name)

    return Module


@caught_by("test_module_call_is_forward", "None == 2.0")
def module_call_loses_the_result(right: Any) -> Wrong:
    """__call__ runs forward and forgets to return what it gave."""

    class Module(right.Module):
        def __call__(self, *inputs: Any) -> Any:
            super().__call__(*inputs)

    return Module


@caught_by("test_zero_grad_forgets_every_gradient", "stay in some parameter")
def zero_grad_forgets_the_children(right: Any) -> Wrong:
    """Only the module's own gradients are reset; those of its children are added to the next batch's."""

    class Module(right.Module):
        def zero_grad(self) -> None:
            for name, parameter in self.named_parameters():
                if "." not in name:
                    parameter.grad = None

    return Module


# ------------------------------------------------------------------------------------------------- state dicts


@caught_by("test_state_dict_has_the_names_and_shapes_of_torch", "'layers.0.bias' != 'layers.0.weight'")
def model_sorts_its_names(right: Any) -> Wrong:
    """Parameters come in alphabetical order, as dir() gives them, and an optimizer's state fits another net."""

    class Model(right.Model):
        def named_parameters(self, *how: Any, **more: Any) -> Named:
            return iter(sorted(super().named_parameters(*how, **more), key=lambda item: item[0]))

    return Model


@caught_by("test_loaded_state_is_not_shared", "every model that was loaded from it")
def loading_shares_the_arrays(right: Any) -> Wrong:
    """The arrays of the state dict become the parameters, so two nets loaded from it are one."""

    class Model(right.Model):
        def load_state_dict(self, state: Mapping[str, Array]) -> None:
            for name, parameter in self.named_parameters():
                parameter.data = state[name]

    return Model


@caught_by("test_loading_keeps_the_parameters_that_an_optimizer_holds", "that the model no longer uses")
def loading_makes_new_parameters(right: Any) -> Wrong:
    """Loading replaces the Parameter objects, and an optimizer goes on with the old ones."""

    class Model(right.Model):
        renewed: Any = None

        def load_state_dict(self, state: Mapping[str, Array]) -> None:
            super().load_state_dict(state)
            renewed = [(name, right.Parameter(p.data)) for name, p in super().named_parameters()]
            self.renewed = lambda: renewed

        def named_parameters(self) -> Named:
            return iter(self.renewed()) if self.renewed else super().named_parameters()

        def parameters(self) -> Iterator[Parameter]:
            return (parameter for _, parameter in self.named_parameters())

    return Model


@caught_by("test_load_lists_every_name_that_does_not_fit", "raised nothing")
def loading_skips_what_does_not_fit(right: Any) -> Wrong:
    """Names that are missing or unexpected are passed over, and a checkpoint of another net loads in part."""

    class Model(right.Model):
        def load_state_dict(self, state: Mapping[str, Array]) -> None:
            mine = self.state_dict()
            fitting = {n: a for n, a in state.items() if n in mine and right.shape(a) == right.shape(mine[n])}
            super().load_state_dict({**mine, **fitting})

    return Model


@caught_by("test_load_lists_every_name_that_does_not_fit", "does not name")
def loading_names_the_first_fault_only(right: Any) -> Wrong:
    """The first missing name ends the check; the others come up one run after the other."""

    class Model(right.Model):
        def load_state_dict(self, state: Mapping[str, Array]) -> None:
            for name in self.state_dict():
                if name not in state:
                    raise ValueError(f"load_state_dict: missing {name}")
            super().load_state_dict(state)

    return Model


# ------------------------------------------------------------------------------------------------- layers


@caught_by("test_linear_module_has_kaiming_weights_and_no_bias_yet", r"\(200, 100\) == \(100, 200\)")
def linear_keeps_the_weight_as_n_in_by_n_out(right: Any) -> Wrong:
    """weight is (n_in, n_out), and no state dict can move to PyTorch or back."""

    class Linear(right.Linear):
        def __init__(self, n_in: int, n_out: int, *arguments: Any, **more: Any) -> None:
            super().__init__(n_in, n_out, *arguments, **more)
            self.weight: Any = right.Parameter(right.transpose(self.weight.data))

    return Linear


@caught_by("test_linear_module_has_kaiming_weights_and_no_bias_yet", r"weights of std 1/√\(3 n_in\)")
def linear_starts_as_in_torch(right: Any) -> Wrong:
    """Weights of std 1/√(3 n_in), as torch.nn.Linear draws them: too small for relu."""

    class Linear(right.Linear):
        def __init__(self, n_in: int, n_out: int, *arguments: Any, **more: Any) -> None:
            super().__init__(n_in, n_out, *arguments, **more)
            self.weight: Any = right.Parameter(right.times(self.weight.data, 6**-0.5))

    return Linear


@caught_by("test_linear_module_without_a_seed_is_drawn_afresh", "a fixed seed hides behind None")
def linear_hides_a_seed(right: Any) -> Wrong:
    """seed=None means seed 0, so all layers of one shape start as copies of each other."""

    class Linear(right.Linear):
        def __init__(self, n_in: int, n_out: int, seed: int | None = None, *where: Any, **more: Any) -> None:
            super().__init__(n_in, n_out, seed or 0, *where, **more)

    return Linear


@caught_by("test_results_are_right_at_any_size", "Some size, depth or batch comes out wrong")
def linear_forgets_to_transpose(right: Any) -> Wrong:
    """x @ weight for x @ weightᵀ, which runs when n_in = n_out."""

    class Linear(right.Linear):
        def forward(self, x: Array) -> Array:
            w = self.weight.data
            return right.linear(x, w, self.bias.data) if right.square(w) else super().forward(x)

    return Linear


@caught_by("test_sequential_runs_its_layers_in_order", "the last comes first")
def sequential_begins_at_the_end(right: Any) -> Wrong:
    """The layers run from the last to the first."""

    class Sequential(right.Sequential):
        def __init__(self, *layers: Any) -> None:
            super().__init__(*layers[::-1])

    return Sequential


@caught_by("test_sequential_names_its_layers_by_number", "layer0")
def sequential_names_its_layers_its_own_way(right: Any) -> Wrong:
    """Layers are called layer0, layer1 and so on, where PyTorch calls them 0, 1 and so on."""

    class Sequential(right.Module):
        def __init__(self, *layers: Any) -> None:
            super().__init__()
            for i, layer in enumerate(layers):
                setattr(self, f"layer{i}", layer)

    return Sequential


@caught_by("test_results_are_right_in_full_precision", "times too large: a mean's 1/n is missing")
def mse_loss_sums(right: Any) -> Wrong:
    """The class adds the squares up where the function takes their mean."""

    class MSELoss(right.MSELoss):
        def forward(self, output: Array, target: Array) -> Any:
            return right.times(super().forward(output, target), len(list(flat(right.tolist(output)))))

    return MSELoss


# ------------------------------------------------------------------------------------------------- Model


@caught_by("test_model_repeats_itself_from_a_seed", "each layer starts from the same one")
def model_gives_all_layers_one_seed(right: Any) -> Wrong:
    """The seed is handed to every layer as it is, so layers of one shape are copies of each other."""

    class Model(right.Model):
        def __init__(self, sizes: Sequence[int], loss: Any = None, seed: int | None = None, **where: Any) -> None:
            super().__init__(sizes, loss, seed, **where)
            state = dict(self.state_dict())
            for i, (n_in, n_out) in enumerate(pairwise(sizes)):
                state[f"layers.{2 * i}.weight"] = right.Linear(n_in, n_out, seed, **where).weight.data
            self.load_state_dict(state)

    return Model


@caught_by("test_model_has_the_loss_and_gradients_of_the_functions", "relu or its mask is left out")
def model_forgets_relu_on_the_way_back(right: Any) -> Wrong:
    """The class version of the classic: the gradient passes the ReLU layers as if they were not there."""
    hand: Any = classes_by_hand(right, relu_grad=lambda grad_out, x: grad_out)
    return hand.Sequential, hand.Model


@caught_by(
    "test_model_has_the_loss_and_gradients_of_the_functions",
    r"bias.grad: [\s\S]*(divided by n once too often|a factor 2 is missing)",
)
def model_averages_the_bias_gradient(right: Any) -> Wrong:
    """The class version: a Linear layer takes the mean of the bias gradient over the batch, not the sum."""

    def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        grad_x, grad_w, grad_b = right.linear_grad(grad_out, x, w)
        return grad_x, grad_w, right.times(grad_b, 1 / len(x))

    hand: Any = classes_by_hand(right, linear_grad=linear_grad)
    return hand.Sequential, hand.Model


@caught_by("test_gradients_accumulate_until_zero_grad", "The second backward overwrites the first")
def model_overwrites_gradients(right: Any) -> Wrong:
    """A backward puts its gradient in the place of the last one instead of adding to it."""
    hand: Any = classes_by_hand(right)

    class Model(hand.Model):
        def backward(self) -> None:
            self.zero_grad()
            super().backward()

    return hand.Sequential, Model


@caught_by("test_gradients_accumulate_until_zero_grad", "zero_grad leaves something behind")
def model_zero_grad_does_nothing(right: Any) -> Wrong:
    """Gradients stay where they are when they should start afresh."""

    class Model(right.Model):
        def zero_grad(self) -> None:
            pass

    return Model


@caught_by("test_layer_used_more_than_once_gets_the_sum_of_its_gradients", "remembers only its last input")
def model_remembers_only_the_last_input(right: Any) -> Wrong:
    """Each layer keeps the input that it saw last, so one that stands in a net twice goes back from the wrong one."""
    hand: Any = classes_by_hand(right)

    class Model(hand.Model):
        tape: Any

        def backward(self) -> None:
            seen = {id(layer): x for layer, x in self.tape}
            self.tape = [(layer, seen[id(layer)]) for layer, _ in self.tape]
            super().backward()

    return hand.Sequential, Model


@caught_by("test_layer_used_more_than_once_gets_the_sum_of_its_gradients", "only its last gradient counts")
def model_goes_back_through_each_layer_once(right: Any) -> Wrong:
    """A layer that stands in a net twice gets the gradient of its last use only."""
    hand: Any = classes_by_hand(right)

    class Model(hand.Model):
        def accumulate(self, parameter: Parameter, grad: Array) -> None:
            if parameter.grad is None:
                super().accumulate(parameter, grad)

    return hand.Sequential, Model


@caught_by("test_predict_does_not_disturb_backward", "between forward and backward changes the gradients")
def predict_overwrites_what_backward_needs(right: Any) -> Wrong:
    """Layers remember what they see in predict too, and backward goes back from the validation data."""
    hand: Any = classes_by_hand(right)

    class Model(hand.Model):
        tape: Any
        end: Any

        def predict(self, x: Array) -> Array:
            output, self.tape = super().predict(x), []
            return self.layers.run(x, self.tape) if self.end else output

        def backward(self) -> None:
            if self.end and len(self.tape[0][1]) != len(self.end[0]):
                self.end = tuple(part[:1] for part in self.end)
            super().backward()

    return hand.Sequential, Model


@caught_by("test_backward_follows_the_last_forward", "an earlier forward left behind")
def backward_follows_the_first_forward(right: Any) -> Wrong:
    """What the first forward left behind is never replaced."""
    hand: Any = classes_by_hand(right)

    class Model(hand.Model):
        tape: Any
        end: Any

        def forward(self, x: Array, target: Array) -> Any:
            before = self.tape, self.end
            loss = super().forward(x, target)
            if before[1]:
                self.tape, self.end = before
            return loss

    return hand.Sequential, Model


@caught_by("test_backward_before_forward_is_refused", "raised nothing")
def backward_before_forward_does_nothing(right: Any) -> Wrong:
    """Without a forward there is nothing to go back from, and nobody is told."""

    class Model(right.Model):
        def backward(self) -> None:
            with suppress(RuntimeError):
                super().backward()

    return Model


@caught_by("test_second_backward_after_one_forward_is_refused", "raised nothing")
def backward_goes_back_twice(right: Any) -> Wrong:
    """A second backward after one forward counts the same batch again."""
    hand: Any = classes_by_hand(right)

    class Model(hand.Model):
        end: Any

        def backward(self) -> None:
            end = self.end
            super().backward()
            self.end = end

    return hand.Sequential, Model


@caught_by("test_backward_after_predict_alone_is_refused", "raised nothing")
def predict_records_gradients(right: Any) -> Wrong:
    """Validation is recorded as training is: a backward after it finds something to go back from."""
    hand: Any = classes_by_hand(right)

    class Model(hand.Model):
        def predict(self, x: Array) -> Array:
            output = super().predict(x)
            self(x, output)
            return output

    return hand.Sequential, Model


@caught_by("test_results_are_right_in_full_precision", "predict.*6 of 10 elements differ")
def predict_cuts_below_zero(right: Any) -> Wrong:
    """Prediction ends in a relu that training does not have."""

    class Model(right.Model):
        def predict(self, x: Array) -> Array:
            return right.relu(super().predict(x))

    return Model


@caught_by("test_arguments_stay_as_they_are", "changed its arguments")
def model_writes_over_the_batch(right: Any) -> Wrong:
    """Backward uses the batch's own memory when it needs it no more, and the next epoch sees other data."""

    class Model(right.Model):
        def forward(self, x: Array, target: Array) -> Any:
            self.batch = lambda: x
            return super().forward(x, target)

        def backward(self) -> None:
            super().backward()
            self.batch()[:] = right.times(self.batch(), 0)

    return Model


@caught_by("test_parameter_that_is_not_used_gets_no_gradient", "a gradient that was never computed")
def backward_reaches_what_was_not_used(right: Any) -> Wrong:
    """Every parameter without a gradient gets ones, whether the loss depends on it or not."""

    class Model(right.Model):
        def backward(self) -> None:
            super().backward()
            for parameter in self.parameters():
                if parameter.grad is None:
                    parameter.grad = right.each(lambda _: 1.0, parameter.data)

    return Model
