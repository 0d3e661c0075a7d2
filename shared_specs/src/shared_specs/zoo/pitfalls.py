"""What goes wrong in this field, as books, courses and issue trackers have it, and the bugs that show it here."""

PITFALLS: dict[str, tuple[str, ...]] = {
    # forward
    "No check of the inner sizes of a product": ("matmul_loops_check_no_sizes", "neuron_stops_at_the_shorter"),
    "a[i, None] * b for a[i, :, None] * b": ("matmul_broadcasts_a_row_as_a_row",),
    "(batch, 1) − (batch,) broadcasts to (batch, batch)": (
        "mse_broadcasts_to_batch_by_batch",
        "mse_takes_one_target_for_all_outputs",
        "mse_grad_loses_the_shape_of_output",
    ),
    "A bare squeeze() turns a batch of one into a scalar": ("mlp_squeezes_its_output",),
    "A relu of numbers that maps NaN to 0, or returns the int 0": ("relu_hides_nan", "relu_returns_the_int_0"),
    "A loss that uses a stale variable while the gradients are right": ("loss_is_stale",),
    "log-softmax without the maximum subtracted": ("softmax_overflows", "cross_entropy_adds_an_epsilon"),
    "float32 overflows and underflows where float64 does not": (
        "matmul_computes_in_float32",
        "floats_are_rounded_to_singles",
        "kaiming_ignores_the_inputs",
    ),
    "The default of nn.Linear is not Kaiming for relu": (
        "linear_starts_as_in_torch",
        "init_is_that_of_torch",
        "init_draws_biases_too",
    ),
    # backward
    "relu′(0) is 1 or 0.5 instead of 0": (
        "relu_grad_is_1_at_the_kink",
        "relu_grad_is_a_half_at_the_kink",
        "backward_is_kinked_at_ties",
    ),
    "(x > 0) * grad is nan where grad is infinite": ("relu_grad_multiplies_by_the_mask",),
    "A gradient that is masked by itself": ("relu_grad_masks_by_the_gradient",),
    "relu′ forgotten": ("relu_grad_is_forgotten", "backward_forgets_relu", "model_forgets_relu_on_the_way_back"),
    "The 1/n of a mean is missing, is 1/batch, or is there twice": (
        "mse_grad_forgets_the_mean",
        "mse_grad_divides_by_the_batch_only",
        "backward_divides_by_the_batch_again",
    ),
    "The factor 2 is missing": ("mse_grad_forgets_the_2", "mse_is_halved"),
    "The bias gradient is averaged, or of the first row only, instead of summed": (
        "linear_grad_averages_the_bias",
        "linear_grad_takes_the_first_row_for_the_bias",
        "model_averages_the_bias_gradient",
    ),
    "The weight gradient is transposed, which is invisible when n_in = n_out": (
        "linear_grad_transposes_the_weights_gradient",
        "linear_grad_goes_back_through_w_untransposed",
        "linear_forgets_to_transpose",
    ),
    "Zero biases mask errors": ("linear_adds_its_bias_along_the_batch", "neuron_forgets_its_bias"),
    "Gradients are overwritten instead of accumulated": ("model_overwrites_gradients",),
    "Gradients are accumulated when they should start afresh": ("gradients_pile_up", "model_zero_grad_does_nothing"),
    "A layer used twice remembers only its last input": (
        "model_remembers_only_the_last_input",
        "model_goes_back_through_each_layer_once",
    ),
    "Inputs, targets or parameters are changed in place": (
        "add_works_in_place",
        "relu_works_in_place",
        "matmul_gathers_in_its_argument",
        "relu_grad_works_in_place",
        "softmax_shifts_in_place",
        "model_writes_over_the_batch",
        "batches_shuffle_the_data_itself",
    ),
    "The loss goes down all the same": ("backward_stops_after_the_last_layer", "dead_units_leak"),
    "Finite differences cannot catch a wrong forward": ("loss_is_that_of_another_net",),
    "One sampled index at a tolerance of 1e-2 proves little": (
        "linear_grad_is_off_in_one_corner",
        "gradients_are_finite_differences",
    ),
    # module and training
    "A shared child is counted twice": ("module_counts_a_shared_parameter_twice",),
    "An unused parameter crashes the optimizer's step": (
        "sgd_needs_a_gradient_everywhere",
        "sgd_decays_what_has_no_gradient",
    ),
    "Validation records gradients": ("predict_records_gradients", "predict_overwrites_what_backward_needs"),
    "Histories keep whole graphs alive": ("fit_returns_arrays",),
    "zero_grad is forgotten": ("fit_forgets_zero_grad", "sgd_zero_grad_does_nothing"),
    "Momentum buffers are kept by position": ("sgd_keeps_momentum_by_position",),
}
"""Not among them: a missing super().__init__(), the user's mistake and no implementation's; and what a Module does with
lists and with Parameters that are replaced, which is the framework's own affair."""
