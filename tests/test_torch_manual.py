"""What holds for torch_manual alone: no gradient but those by hand."""

import torch

import torch_manual as net


def trained():
    """A model after an epoch, and its losses."""
    x, target = net.asarray([[1, 2], [3, 4], [5, 6]]), net.asarray([[1], [2], [3]])
    model = net.Model([2, 4, 1], seed=0)
    return model, net.fit(model, net.Batches(x, target, 2, 0), net.SGD(model.parameters(), 0.01, 0.9, 0.1), epochs=2)


def test_all_of_it_runs_in_inference_mode():
    """Something leans on autograd after all."""
    _, expected = trained()
    with torch.inference_mode():
        _, losses = trained()
    assert losses == expected


def test_nothing_requires_a_gradient():
    """A tensor asks autograd to watch."""
    model, _ = trained()
    tensors = [tensor for parameter in model.parameters() for tensor in (parameter.data, parameter.grad)]
    assert not any(
        tensor.requires_grad for tensor in [*tensors, *(t for pair in net.init_mlp([2, 3, 1], 0) for t in pair)]
    )
