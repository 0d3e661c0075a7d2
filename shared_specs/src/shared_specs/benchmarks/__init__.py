"""Benchmarks, run only when named: pytest --pyargs shared_specs.benchmarks.bench_workloads --impl my_net."""
