"""The plugin on planted specs and small implementations: what it runs, what it says, what it lets others do."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from shared_specs import STAGES

Run = Callable[..., pytest.RunResult]
GAP = 'GAPS = {"not_yet": {"neuron": {"reason": "next month", "raises": "NotProvided"}}}'
USES_NEURON = """
    import pytest
    @pytest.mark.neuron
    def test_neuron_adds_its_bias(impl): assert impl.neuron([1.0], [2.0], 3.0) == 5.0
"""


# What is run


def test_a_spec_runs_once_an_implementation_and_once_a_dtype_if_it_uses_it(run_specs: Run) -> None:
    """A spec is left out for an implementation or a dtype, or run twice."""
    result = run_specs("--impl", "my_net", "--impl", "other", "-v", other="def relu(x): return max(x, 0.0)")
    result.assert_outcomes(passed=5)
    for name in ("positive[[]my_net]", "negative[[]my_net-float64]", "negative[[]my_net-float32]"):
        result.stdout.fnmatch_lines(f"*{name} PASSED*")
    result.stdout.fnmatch_lines(["*positive[[]other] PASSED*", "*negative[[]other-float64] PASSED*"])


def test_the_header_says_what_is_tested(run_specs: Run) -> None:
    """A reader of the log cannot tell which version, device or dtype it is about."""
    result = run_specs("--impl", "my_net", "--dtype", "float32")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines("specs *: my_net 1.2 on cpu: float32")


def test_the_specs_of_this_package_are_marked_with_their_stage(run_specs: Run) -> None:
    """`-m neuron` or `--stage neuron` leaves specs of that stage out, or picks those of another."""
    others = {f"test_{stage}.py" for stage in STAGES if stage != "neuron"}
    options = ("--pyargs", "shared_specs", "--impl", "my_net", "--collect-only", "-q")
    for filters in (("-m", "neuron"), ("--stage", "neuron")):
        files = {line.partition("::")[0] for line in run_specs(*options, *filters).outlines if "::" in line}
        assert {"test_neuron.py", "test_operations.py"} <= {Path(file).name for file in files}
        assert not others & {Path(file).name for file in files}


MANNERS = """
    import pytest
    @pytest.mark.courtesy
    @pytest.mark.neuron
    def test_relu_says_what_it_takes(impl):
        with pytest.raises(ValueError, match="relu"): impl.relu("text")
"""


def test_manners_are_asked_of_others_only_if_they_wish(run_specs: Run) -> None:
    """Right numbers in other words fail, or manners count among the numbers."""
    run_specs("--impl", "my_net", specs=MANNERS).assert_outcomes()
    result = run_specs("--impl", "my_net", "--courtesy", specs=MANNERS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["neuron * –", "courtesy * 1 failed"])


def test_manners_are_asked_of_all_that_are_registered(run_specs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The messages of the packages here are nobody's business."""
    monkeypatch.setattr("shared_specs.registry.implementations", lambda: ("my_net",))
    run_specs("--impl", "my_net", "--impl", "other", specs=MANNERS, other="").assert_outcomes(failed=1)


def test_a_stage_leaves_the_others_out(run_specs: Run, one_spec_a_stage: str) -> None:
    """`--stage` given twice keeps only one, or keeps all."""
    result = run_specs("--impl", "my_net", "--stage", "mlp", "--stage", "layer", specs=one_spec_a_stage)
    result.assert_outcomes(passed=2, deselected=5)


OPTIONAL_STAGE = """
    import pytest
    pytestmark = pytest.mark.parallel

    def test_ranks_share_a_batch(impl):
        assert impl.fit_parallel(1) == 2
"""


def test_the_optional_stage_may_be_left_out_but_not_wrong(run_specs: Run) -> None:
    """Who trains in one process fails, or nobody sees that the stage is missing; or a wrong answer in it passes."""
    result = run_specs("--impl", "my_net", specs=OPTIONAL_STAGE)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["parallel * 1 missing", "*my_net does not provide `fit_parallel` (stage parallel *"])
    run_specs("--impl", "has", specs=OPTIONAL_STAGE, has="def fit_parallel(x): return x").assert_outcomes(failed=1)


def test_an_implementation_in_the_current_folder_is_found(pytester: pytest.Pytester) -> None:
    """The command in the README fails where the module is not installed."""
    pytester.makepyfile(here="def relu(x): return x", test_planted=USES_NEURON)
    pytester.mkdir("elsewhere").joinpath("test_it.py").write_text("def test_it(impl): impl.relu(1.0)")
    options = ("--import-mode=importlib", "--impl", "here", "elsewhere")
    pytester.runpytest("-p", "shared_specs.plugin", *options).assert_outcomes(passed=1)


def test_a_property_can_use_the_fixtures(run_specs: Run) -> None:
    """Hypothesis looks at the implementation, or reuses it, in a way that breaks it."""
    specs = """
        import pytest
        from hypothesis import given, strategies

        @pytest.mark.neuron
        @given(x=strategies.floats(0, 1))
        def test_relu_keeps_what_is_positive(impl, dtype, device, x):
            assert impl.relu(x) == x
    """
    run_specs("--impl", "my_net", specs=specs).assert_outcomes(passed=2)


# What it says of wrong options


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--impl", "my_nett"], "*no implementation 'my_nett' (known: *"),
        (["--impl", "../my_net"], "*no implementation '../my_net' (known: *"),
        (["--impl", "broken"], "*broken cannot be imported: *broken.py:1: ZeroDivisionError: *"),
        (["--impl", "my_net", "--stage", "layers"], "*invalid choice: 'layers'*"),
        (["--impl", "my_net", "--impl", "broken", "--gaps", "gaps.toml"], "*--gaps is for one implementation*"),
        (["--impl", "my_net", "--gaps", "nowhere.toml"], "*nowhere.toml*No such file*"),
        (["--impl", "my_net", "--report", "my_net.py/report.json"], "*--report: *my_net.py*"),
        (["--impl", "misspelt"], "*misspelt cannot be imported: *misspelt.py:2: SyntaxError: *"),
        (["--impl", "leaves"], "*leaves cannot be imported: *leaves.py:1: SystemExit: gone"),
        (["--impl", "driverless"], "*driverless cannot be used: *driverless.py:1: OSError: no driver"),
        (["--impl", "gappy"], "*gap never.relu: got*expected texts for reason"),
    ],
)
def test_a_wrong_option_is_a_usage_error(run_specs: Run, options: list[str], complaint: str) -> None:
    """A typing mistake ends in a traceback, or in a run that tests nothing."""
    modules = {
        "broken": "1 / 0",
        "misspelt": "x = 1\ndef relu(x) return x",
        "leaves": "raise SystemExit('gone')",
        "driverless": "def devices(): raise OSError('no driver')",
        "gappy": 'GAPS = {"never": {"relu": {}}}',
    }
    result = run_specs(*options, **modules)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(complaint)


def test_without_any_implementation_it_says_what_to_do(run_specs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first run, with nothing installed, passes or gives no hint."""
    monkeypatch.setattr("shared_specs.registry.implementations", tuple)
    result = run_specs()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("*no implementation is registered here: install one, or name a module with --impl")


# How a spec can end


def test_a_missing_name_is_missing_and_not_failed(run_specs: Run) -> None:
    """A partial implementation breaks collection, passes, or drowns what it gets wrong in what it does not have yet."""
    result = run_specs("--impl", "partial", partial="def neuron(inputs, weights, bias): return 5.0")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes()
    matrix = ["neuron * 2 missing", "partial does not provide `relu` (stage neuron of the contract) (2 specs)"]
    result.stdout.fnmatch_lines([*matrix, "*2 missing*"])
    result.stdout.no_fnmatch_line("*FAILURES*")


def test_missing_names_come_in_the_order_of_the_contract(run_specs: Run) -> None:
    """Whoever goes on stage by stage has to look for the name that is next."""
    specs = "".join(
        f"@pytest.mark.mlp\ndef test_{i}(impl): impl.{name}\n" for i, name in enumerate(("mlp", "neuron", "add"))
    )
    result = run_specs("--impl", "partial", specs=f"import pytest\n{specs}", partial="")
    result.stdout.fnmatch_lines([f"partial does not provide `{name}`*" for name in ("add", "neuron", "mlp")])


def test_what_the_machine_lacks_is_not_run(run_specs: Run) -> None:
    """A missing GPU counts as passed or as failed."""
    result = run_specs("--impl", "my_net", "--device", "cuda", "-v")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["*NOT RUN*", "neuron * 3 not run", "my_net, not run: no CUDA (3 specs)", "*3 not run*"]
    )
    result.assert_outcomes()


def test_a_dtype_that_the_implementation_lacks_is_not_run(run_specs: Run) -> None:
    """A dtype asked for in vain counts as passed or as failed."""
    result = run_specs("--impl", "doubles", "--dtype", "float32", doubles="def relu(x): return max(x, 0.0)")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("doubles, not run: no float32 (1 spec)")


def test_the_matrix_counts_outcomes_by_stage_and_implementation(run_specs: Run) -> None:
    """An outcome is counted for another stage or implementation."""
    result = run_specs("--impl", "my_net", "--impl", "partial", partial="DTYPES = ('float64',)")
    matrix = ["stage * my_net * partial", "arrays * – * –", "neuron * 3 passed * 2 missing"]
    result.stdout.fnmatch_lines(["*stage × implementation*", *matrix])


# What a failure says

README = (Path(__file__).parents[1] / "shared_specs" / "README.md").read_text(encoding="utf-8")
WRONG = """
    import pytest
    from hypothesis import given, strategies
    from shared_specs.compare import assert_close
    pytestmark = pytest.mark.neuron

    def check(impl, x, call):
        assert_close(impl, call, impl.relu(x), [max(number, 0.0) for number in x])

    @given(x=strategies.lists(strategies.floats(1, 2), min_size=2))
    def test_of_any_numbers(impl, x): check(impl, [-1.0, *x], "relu")

    @pytest.mark.parametrize("n", range(5))
    def test_of_some_numbers(impl, n): check(impl, [-1.0, 1.0 + n], f"relu([-1, {1 + n}])")
"""
LISTS = """
    def asarray(values, dtype=None, device=None): return values
    def tolist(array): return array
    def shape(array): return (len(array),) if isinstance(array, list) else ()
"""
LEAKS = f"{LISTS}\n    def relu(x): return x\n"
RELU = [
    "relu*: 1 of * elements differ by more than *",
    "  got  *",
    "  expected  *",
    "  first at  [[]0[]]: got -1.0, expected 0.0",
    "  likely mistake: * relu or its mask is left out",
]


def test_the_example_in_the_readme_says_what_the_readme_shows(pytester: pytest.Pytester) -> None:
    """The first thing that a newcomer tries looks otherwise than was promised."""
    source, command, failure, missing = re.findall(r"```\w*\n(.+?)```", README, re.DOTALL)[:4]
    pytester.makefile(".py", my_net=source)
    pytest_command = command.splitlines()[-1].split()
    result = pytester.runpytest_subprocess("-p", "shared_specs.plugin", *pytest_command[1:])
    for shown in (failure, missing):
        assert shown in f"{result.stdout}\n"
    assert len(result.outlines) < 100


def test_one_mistake_is_told_once_with_its_five_lines(run_specs: Run) -> None:
    """A mistake that six specs find fills six screens, and a property's failure starts with the property."""
    result = run_specs("--impl", "leaks", specs=WRONG, leaks=LEAKS)
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines(["___*", *RELU], consecutive=True)
    result.stdout.fnmatch_lines("and 5 more specs; -v shows each")
    assert sum("likely mistake" in line for line in result.outlines) == 1


def test_v_tells_every_failure_and_tb_its_traceback(run_specs: Run) -> None:
    """Who wants to see more cannot."""
    result = run_specs("--impl", "leaks", "-v", "--tb=short", specs=WRONG, leaks=LEAKS)
    result.stdout.fnmatch_lines([*RELU, "*in check"] * 2)
    assert sum("likely mistake" in line for line in result.outlines) >= 6


def test_an_error_inside_the_implementation_says_where(run_specs: Run) -> None:
    """The reader sees the spec's source instead of the own line."""
    result = run_specs("--impl", "partial", partial=f"{LISTS}\n    def relu(x): return 1 / 0\n")
    result.stdout.fnmatch_lines(["ZeroDivisionError: *", "  *partial.py:5 in relu: def relu(x): return 1 / 0"])


@pytest.mark.parametrize(
    "relu",
    [
        "def relu(x): return relu(x)",
        "def relu(x): raise SystemExit(3)",
        "def relu(x): raise type('Mine', (BaseException,), {})",
        "def relu(x): raise type('Mine', (Exception,), {'__str__': lambda self: 1 / 0})",
        "def relu(x):\n    __tracebackhide__ = lambda error: 1 / 0\n    raise ValueError",
        "class Odd:\n    def __repr__(self): raise SystemExit(3)\n    __eq__ = __repr__\ndef relu(x): return Odd()",
        "def __getattr__(name): raise KeyError(name)",
        "def __getattr__(name): return lambda *arguments: [name]",
    ],
)
def test_nothing_that_an_implementation_does_breaks_the_run(run_specs: Run, relu: str) -> None:
    """INTERNALERROR: the other specs are not run, and nobody knows why."""
    result = run_specs("--impl", "strange", strange=relu)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR)
    assert not any("INTERNALERROR" in line for line in [*result.outlines, *result.errlines])


# Gaps


def test_a_gap_with_the_expected_exception_is_no_failure(run_specs: Run) -> None:
    """A declared gap fails the run, or is counted as passed."""
    result = run_specs("--impl", "partial", specs=USES_NEURON, partial=GAP)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["neuron * 1 gap", "partial, gap: not yet: neuron (next month) (1 spec)", "*1 gap*"])


def test_a_gap_that_passes_fails_the_run(run_specs: Run) -> None:
    """A gap outlives what it was declared for."""
    source = f"{GAP}\ndef neuron(inputs, weights, bias): return 5.0"
    result = run_specs("--impl", "partial", specs=USES_NEURON, partial=source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("declared as a gap, but the spec passes: not yet: neuron (next month)")


def test_a_gap_with_another_exception_fails_the_run(run_specs: Run) -> None:
    """A gap hides a second mistake."""
    source = f"{GAP}\ndef neuron(inputs, weights, bias): return 1 / 0"
    result = run_specs("--impl", "partial", specs=USES_NEURON, partial=source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("not yet: neuron (next month), which expects NotProvided")


def test_a_gap_that_no_spec_meets_fails_a_whole_run(run_specs: Run, one_spec_a_stage: str) -> None:
    """A gap about nothing stays in the list, or a run of one stage complains about the others' gaps."""
    source = f"{GAP}\ndef relu(x): return x"
    whole = run_specs("--impl", "partial", specs=one_spec_a_stage, partial=source)
    assert whole.ret == pytest.ExitCode.TESTS_FAILED
    whole.stdout.fnmatch_lines("gap of partial that no spec met: not yet: neuron (next month)")
    assert run_specs("--impl", "partial", "--stage", "mlp", specs=one_spec_a_stage).ret == pytest.ExitCode.OK


def test_gaps_can_stand_in_a_file(run_specs: Run, tmp_path: Path) -> None:
    """`--gaps` is ignored."""
    path = tmp_path / "gaps.toml"
    path.write_text('[never."test_neuron_*"]\nreason = "no biases here"\n', encoding="utf-8")
    result = run_specs(
        "--impl", "partial", "--gaps", path, specs=USES_NEURON, partial="def neuron(*inputs): return 0.0"
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines("*1 gap*")


# The report


def test_the_report_holds_every_outcome(run_specs: Run, tmp_path: Path) -> None:
    """A tool cannot read from the report what the matrix shows."""
    path = tmp_path / "new folder" / "report.json"
    run_specs("--impl", "my_net", "--dtype", "float32", "--report", path).assert_outcomes(passed=2)
    written = json.loads(path.read_text(encoding="utf-8"))["implementations"][0]
    assert (written["name"], written["version"], written["dtypes"]) == ("my_net", "1.2", ["float32"])
    assert written["stages"]["neuron"] == {"failed": 0, "missing": 0, "passed": 2, "gap": 0, "not run": 0}
    assert written["specs"][1] == {
        "id": "test_planted.py::test_relu_removes_what_is_negative[my_net-float32]",
        "stage": "neuron",
        "dtype": "float32",
        "outcome": "passed",
        "reason": "",
    }


def test_the_report_says_what_is_missing(run_specs: Run, tmp_path: Path) -> None:
    """What a spec waits for is not in the report."""
    path = tmp_path / "report.json"
    run_specs("--impl", "partial", "--report", path, partial="", specs=USES_NEURON)
    (spec,) = json.loads(path.read_text(encoding="utf-8"))["implementations"][0]["specs"]
    assert (spec["outcome"], spec["reason"]) == (
        "missing",
        "NotProvided: partial does not provide `neuron` (stage neuron of the contract)",
    )


def test_an_aborted_run_writes_no_report(run_specs: Run, tmp_path: Path) -> None:
    """Half a run is taken for a whole one."""
    path = tmp_path / "report.json"
    run_specs("--impl", "my_net", "--report", path, specs="import nonsense")
    assert not path.exists()


# Other people's runs


def test_other_projects_are_left_alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their options, fixtures and markers may have the same names, and no implementation is imported."""
    monkeypatch.setenv("PYTEST_PLUGINS", "shared_specs.plugin")
    pytester.makeconftest("""
        import pytest
        def pytest_addoption(parser): parser.addoption("--device", default="mine")
        @pytest.fixture
        def impl(): return "mine"
    """)
    pytester.makepyfile("""
        import pytest
        @pytest.mark.layer
        def test_it(impl, pytestconfig): assert impl == pytestconfig.getoption("device") == "mine"
    """)
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*implementation*")


def test_the_plugin_imports_no_implementation_when_it_loads(pytester: pytest.Pytester) -> None:
    """Coverage misses the import, and an isolated run meets another framework."""
    pytester.makepyfile(my_net="raise SystemExit('imported')")
    pytester.runpytest("-p", "shared_specs.plugin", "--impl", "my_net").assert_outcomes()
