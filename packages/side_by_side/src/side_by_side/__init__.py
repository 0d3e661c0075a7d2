"""Lines up implementations of one neural net: spec matrix, training runs, speed tables, code side by side."""
