"""The layout that makes five implementations readable side by side, held by reading their source."""

import ast
import importlib.util
import sys
from itertools import combinations
from pathlib import Path

import pytest

from shared_specs import STAGES
from shared_specs.contract import STAGE_NAMES
from shared_specs.registry import READING_ORDER, implementations

IMPLEMENTATIONS = implementations()
FRAMEWORKS = {
    "pure_python": set(),
    "numpy_impl": {"numpy"},
    "torch_manual": {"torch", "numpy"},
    "torch_autograd": {"torch", "numpy"},
    "fastai_module": {"torch", "numpy", "fastai"},
}
# torch.nn.Module decides what these take: it calls them on its children.
SIGNATURES_OF_NN_MODULE = {"Module.named_parameters", "Module.state_dict"}


def source(implementation, stage):
    """The syntax tree of one stage of one implementation."""
    folder = importlib.util.find_spec(implementation).submodule_search_locations[0]
    return ast.parse((Path(folder) / f"{stage}.py").read_text(encoding="utf-8"))


def definitions(tree, prefix=""):
    """Public names in the order of their definition, "Class.method" too, each with its argument names."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.If):
            found |= definitions(node, prefix)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {prefix + name.id: None for name in names if isinstance(name, ast.Name)}
        elif isinstance(node, ast.FunctionDef):
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            found[prefix + node.name] = [argument.arg for argument in arguments]
        elif isinstance(node, ast.ClassDef):
            found[prefix + node.name] = None
            found |= definitions(node, f"{node.name}.")
    return {name: arguments for name, arguments in found.items() if not name.split(".")[-1].startswith("_")} | {
        name: arguments for name, arguments in found.items() if name.endswith(".__init__")
    }


def imports(tree):
    """Each imported module, ".arrays" for one of the same package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_every_package_has_the_same_files(implementation):
    """A stage is missing, or a file is there that the others do not have."""
    folder = Path(importlib.util.find_spec(implementation).submodule_search_locations[0])
    assert {path.name for path in folder.glob("*.py")} == {"__init__.py", *(f"{stage}.py" for stage in STAGES)}
    assert (folder / "py.typed").exists()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("a", "b"), list(combinations(IMPLEMENTATIONS, 2)))
def test_shared_definitions_stand_in_the_same_order(a, b, stage):
    """Two packages define the same names in another order, so that they cannot be read side by side."""
    ours, theirs = definitions(source(a, stage)), definitions(source(b, stage))
    ours = [name for name in ours if name in theirs and not name.endswith(".__init__")]
    assert ours == [name for name in theirs if name in ours]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("a", "b"), list(combinations(IMPLEMENTATIONS, 2)))
def test_shared_definitions_take_the_same_arguments(a, b, stage):
    """An argument has another name, or another place, in one of two packages."""
    ours, theirs = definitions(source(a, stage)), definitions(source(b, stage))
    for name in ours.keys() & theirs.keys() - SIGNATURES_OF_NN_MODULE:
        assert ours[name] == theirs[name] or "Function" in name, name


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_every_contract_name_is_defined_in_the_file_of_its_stage(implementation):
    """A name hides in another stage; CrossEntropyLoss alone waits for stage 6, whose functions it wraps."""
    for stage, names in STAGE_NAMES.items():
        if stage in STAGES:
            expected = set(names) - {"CrossEntropyLoss"} | ({"CrossEntropyLoss"} if stage == "training" else set())
            assert expected <= definitions(source(implementation, stage)).keys() | {"DTYPES"}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_earlier_stages_and_its_framework_alone(implementation, stage):
    """An implementation leans on another one, on the specs, on a later stage, or on a library it does not declare."""
    earlier = {f".{name}" for name in STAGES[: STAGES.index(stage)]}
    for module in imports(source(implementation, stage)):
        root = module.split(".")[0]
        assert module in earlier or root in sys.stdlib_module_names or root in FRAMEWORKS[implementation], module


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_public_definition_has_a_docstring(implementation, stage):
    """A reader meets a public name that says nothing about itself."""
    tree = source(implementation, stage)
    assert ast.get_docstring(tree).startswith(f"Stage {STAGES.index(stage)}, {stage}: ")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            nested = any(node in outer.body for outer in ast.walk(tree) if isinstance(outer, ast.FunctionDef))
            assert nested or ast.get_docstring(node), node.name


def test_the_reading_order_is_that_of_the_entry_points():
    """The order in which tables show them names one that is gone, or leaves a new one to the alphabet."""
    assert set(READING_ORDER) == set(IMPLEMENTATIONS)
