"""The layout that makes five implementations readable side by side, held by reading their source."""

import ast
import importlib.util
import re
import sys
from graphlib import TopologicalSorter
from itertools import combinations
from pathlib import Path

import pytest

from shared_specs import OPTIONAL, STAGES
from shared_specs.contract import OPTIONAL_NAMES, STAGE_NAMES
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
WITH_PARALLEL = ("torch_manual", "torch_autograd", "fastai_module")
ROOMS = {"training", "reading", "checking", "bench"}


def home(package):
    """The folder that has a package's source."""
    return Path(importlib.util.find_spec(package).submodule_search_locations[0])


def source(implementation, stage):
    """The syntax tree of one stage of one implementation."""
    return ast.parse((home(implementation) / f"{stage}.py").read_text(encoding="utf-8"))


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


def neighbours(package):
    """Every module of a package → those of them that it imports, inside functions too."""
    found = {}
    for path in home(package).rglob("*.py"):
        *inside, stem = (package, *path.relative_to(home(package)).with_suffix("").parts)
        name = ".".join(inside if stem == "__init__" else [*inside, stem])
        found[name] = (".".join(inside), ast.parse(path.read_text(encoding="utf-8")))
    return {name: set(siblings(tree, inside, found.keys())) for name, (inside, tree) in found.items()}


def siblings(tree, inside, known):
    """Each known module that is imported by name, or from which a name is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), inside)
            for alias in node.names:
                yield from [module for module in (f"{base}.{alias.name}", base) if module in known][:1]


def rooms(modules):
    """The rooms of the tool in which these modules are."""
    return {part for name in modules for part in name.split(".")[1:2]} & ROOMS


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_every_package_has_the_same_files(implementation):
    """A stage is missing, or a file is there that the others do not have; the optional one is for those on PyTorch."""
    folder = home(implementation)
    files = ["__init__", "guard", *STAGES, *([OPTIONAL] if implementation in WITH_PARALLEL else [])]
    assert {path.name for path in folder.glob("*.py")} == {f"{name}.py" for name in files}
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
    earlier = {".guard", *(f".{name}" for name in STAGES[: STAGES.index(stage)])}
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
            told_by_its_class = stage == "module" and node.name in ("forward", "backward")
            assert nested or told_by_its_class or ast.get_docstring(node), node.name


@pytest.mark.parametrize("implementation", WITH_PARALLEL)
def test_the_optional_stage_is_one_screen_with_names_of_its_own(implementation):
    """It goes on after line 80, takes other arguments than its neighbours, or says nothing about itself."""
    text = (home(implementation) / f"{OPTIONAL}.py").read_text(encoding="utf-8")
    tree, neighbour = ast.parse(text), definitions(source(WITH_PARALLEL[0], OPTIONAL))
    assert len(text.splitlines()) <= 80
    assert ast.get_docstring(tree).startswith(f"Stage {len(STAGES)}, {OPTIONAL}: ")
    assert all(definitions(tree)[name] == neighbour[name] for name in ("shard", *OPTIONAL_NAMES))
    assert all(ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef))


@pytest.mark.parametrize("package", ["side_by_side", "shared_specs"])
def test_no_file_needs_itself_through_others(package):
    """Files import each other in a circle, which CycleError shows: none of them can be read before the others."""
    TopologicalSorter(neighbours(package)).prepare()


def test_the_tool_has_four_rooms_and_each_has_commands():
    """A folder of side_by_side is no room, or a room is gone or has no commands."""
    folders = {path.parent.name for path in home("side_by_side").glob("*/*.py")}
    assert folders == {path.parent.name for path in home("side_by_side").glob("*/commands.py")} == ROOMS


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_face_names_what_is_in_its_room(room):
    """The docstring of a room says nothing, or names a file that is gone."""
    said = re.findall(r"`(\w+)`", ast.get_docstring(source(f"side_by_side.{room}", "__init__")))
    assert said
    assert {*said} <= {path.stem for path in home(f"side_by_side.{room}").glob("*.py")}


def test_no_room_of_the_tool_enters_another():
    """A room needs another one; what both need belongs beside them."""
    for name, imported in neighbours("side_by_side").items():
        assert len(rooms([name, *imported])) <= 1 or name == "side_by_side.cli", name


def test_what_stands_beside_the_rooms_serves_several():
    """A file of one room alone stands outside it."""
    graph = neighbours("side_by_side")
    for path in home("side_by_side").glob("*.py"):
        users = [name for name, imported in graph.items() if f"side_by_side.{path.stem}" in imported]
        assert len(rooms(users)) > 1 or path.stem in ("__init__", "__main__", "cli"), path


def test_the_reading_order_is_that_of_the_entry_points():
    """The order in which tables show them names one that is gone, or leaves a new one to the alphabet."""
    assert set(READING_ORDER) == set(IMPLEMENTATIONS)
