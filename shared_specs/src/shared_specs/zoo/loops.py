"""Bugs of a training loop that does more than it should, or less."""

from typing import Any

from shared_specs.oracle import elementwise

from .bug import Wrong, caught_by

Array = Any


@caught_by("test_fit_ends_where_exact_training_ends", "after fit", stage="training")
def fit_forgets_gradients_once_an_epoch(right: Any) -> Wrong:
    """Gradients are reset where the epoch begins and not where the batch does, and pile up on the way through it."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        losses: list[float] = []
        for _ in range(epochs):
            optimizer.zero_grad()
            for x, target in batches:
                losses.append(float(model(x, target)))
                model.backward()
                optimizer.step()
                if on_batch:
                    on_batch(len(losses) - 1, losses[-1])
        return losses

    return fit


@caught_by("test_fit_ends_where_exact_training_ends", "after fit", stage="training")
def fit_keeps_the_best(right: Any) -> Wrong:
    """At the end the net of the lowest loss comes back, which is the luckiest batch's and not the last step's."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        def copied() -> dict[str, Array]:
            return {name: right.times(array, 1) for name, array in model.state_dict().items()}

        states = [copied()]

        def report(step: int, loss: float) -> None:
            states.append(copied())
            if on_batch:
                on_batch(step, loss)

        losses = list(right.fit(model, batches, optimizer, epochs, report))
        if losses:
            model.load_state_dict(states[losses.index(min(losses))])
        return losses

    return fit


@caught_by("test_fit_reports_each_step_with_its_number_and_loss", "another batch's loss", stage="training")
def fit_smooths_what_it_reports(right: Any) -> Wrong:
    """on_batch is told a running average, as progress bars show it, and whoever plots it plots another training."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        smooth: list[float] = []

        def report(step: int, loss: float) -> None:
            smooth.append(0.9 * smooth[-1] + 0.1 * loss if smooth else loss)
            on_batch(step, smooth[-1])

        return list(right.fit(model, batches, optimizer, epochs, on_batch and report))

    return fit


@caught_by("test_fit_goes_on_from_where_it_is", "fit", stage="training")
def fit_begins_where_it_first_began(right: Any) -> Wrong:
    """A second fit of a model starts from the numbers that it had before the first, for runs that can be compared."""
    first: dict[int, Any] = {}

    def fit(model: Any, *arguments: Any) -> list[float]:
        mine = {name: right.times(array, 1) for name, array in model.state_dict().items()}
        _, start = first.setdefault(id(model), (model, mine))
        model.load_state_dict(start)
        return list(right.fit(model, *arguments))

    return fit


@caught_by("test_fit_takes_batches_of_any_kind", "batch_size", stage="training")
def fit_reaches_into_batches(right: Any) -> Wrong:
    """fit reads the batch size of Batches instead of iterating, and a plain list of batches cannot be trained on."""

    def fit(model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Any = None) -> list[float]:
        if not isinstance(batches, right.Batches):
            raise AttributeError(f"{type(batches).__name__!r} object has no attribute 'batch_size'")
        return list(right.fit(model, batches, optimizer, epochs, on_batch))

    return fit


@caught_by("test_fit_returns_each_loss_before_its_step", "elements differ", stage="training")
def fit_rounds_its_losses(right: Any) -> Wrong:
    """Losses are rounded to four digits for the log, and the rounded ones are what comes back."""

    def fit(*arguments: Any) -> list[float]:
        return list(elementwise(lambda loss: round(loss, 4), right.fit(*arguments)))

    return fit
