"""What sets a machine up: which Python make takes, what tox installs where, and that the metadata fit together."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

import pytest

from shared_specs.registry import implementations

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROJECTS = [ROOT / "shared_specs", *sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))]
STUB = """#!{python}
import sys
{facts}
if sys.argv[1] == "-c":
    exec(sys.argv[2])
print("Python", ".".join(map(str, sys.version_info[:3])))
"""


def project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def tox_ini():
    config = configparser.RawConfigParser()
    config.read(ROOT / "tox.ini", encoding="utf-8")
    return config


# ------------------------------------------------------------------------------------------------- make


@pytest.fixture
def make(tmp_path):
    """What `make .venv/ready` says on a machine whose PATH has interpreters of these names and facts alone."""
    if not shutil.which("make"):
        pytest.skip("no make")
    for name in ("Makefile", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("make", "sh", "touch"):
        (path / name).symlink_to(shutil.which(name))

    def run(*arguments, **pythons):
        for name, facts in pythons.items():
            version = facts if isinstance(facts, tuple) else (3, 12, 1)
            lines = f"sys.version_info = {version}\n" + (facts if isinstance(facts, str) else "")
            stub = path / name.replace("_", ".")
            stub.write_text(STUB.format(python=sys.executable, facts=lines), encoding="utf-8")
            stub.chmod(0o755)
        environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
        target = next((f".venv/ready-{word[7:]}" for word in arguments if word.startswith("PYTHON=")), ".venv/ready")
        command = ["make", *arguments, target]
        return subprocess.run(
            command, cwd=tmp_path, env={**environment, "PATH": str(path)}, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.parametrize(
    ("pythons", "taken"),
    [
        ({"python3": (3, 13, 0), "python3_14": (3, 14, 0)}, "3.13.0 (python3)"),
        ({"python3": (3, 9, 6), "python3_11": (3, 11, 9), "python3_12": (3, 12, 1)}, "3.12.1 (python3.12)"),
        ({"python3": (3, 15, 0), "python3_14": (3, 14, 0)}, "3.14.0 (python3.14)"),
        ({"python3_11": (3, 11, 7)}, "3.11.7 (python3.11)"),
        ({"python3": "sys.implementation.name = 'pypy'", "python3_12": (3, 12, 1)}, "3.12.1 (python3.12)"),
        ({"python3": "sys.maxsize = 2**31 - 1", "python3_12": (3, 12, 1)}, "3.12.1 (python3.12)"),
        ({"python3": "sys.modules['ensurepip'] = None", "python3_12": (3, 12, 1)}, "3.12.1 (python3.12)"),
    ],
    ids=["python3 first", "the newest", "not too new", "the oldest", "not PyPy", "not 32 bits", "not without venv"],
)
def test_make_takes_python3_or_else_the_newest_that_fits(make, pythons, taken):
    assert f"Python {taken}\n" in make(**pythons).stdout


def test_make_takes_the_python_that_is_named(make):
    assert "Python 3.11.7 (python3.11)\n" in make("PYTHON=python3.11", python3=(3, 13, 0), python3_11=(3, 11, 7)).stdout


@pytest.mark.parametrize("arguments", [(), ("PYTHON=python3",), ("PYTHON=python3.12",)])
def test_make_says_in_one_line_what_to_install(make, arguments):
    result = make(*arguments, python3=(3, 9, 6))
    said = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert result.returncode != 0
    assert result.stdout == ""
    assert len(said) == 1
    assert said[0].startswith("No Python from 3.11 to 3.14 with venv here")


def test_a_tool_runs_on_the_code_as_it_stands_and_installs_only_what_is_new(tmp_path):
    """`make diff` installs again what has not changed, or runs code that was installed before it was changed."""
    if not shutil.which("make"):
        pytest.skip("no make")
    for name in ("Makefile", "constraints.txt", "tox.ini"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("shared_specs", "packages/numpy_impl"):
        (tmp_path / folder / "src").mkdir(parents=True)
        (tmp_path / folder / "pyproject.toml").touch()
    for stub, line in {
        ".venv/bin/tox": "echo installs",
        ".tox/all/bin/side-by-side": 'echo "$PYTHONPATH" "$@"',
    }.items():
        (tmp_path / stub).parent.mkdir(parents=True)
        (tmp_path / stub).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tmp_path / stub).chmod(0o755)
    (tmp_path / ".venv/ready").touch()
    path = f"{tmp_path}/shared_specs/src:{tmp_path}/packages/numpy_impl/src"
    shown = f"{path} diff torch_manual torch_autograd --stage backward\n"

    def said():
        environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
        command = ["make", "diff", "UV=", "READY=.venv/ready"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    assert said() == f"installs\n{shown}"
    assert said() == shown
    for changed in ("tox.ini", "packages/numpy_impl/pyproject.toml", "shared_specs/pyproject.toml"):
        for file in filter(Path.is_file, tmp_path.rglob("*")):
            os.utime(file, (0, 0))
        os.utime(tmp_path / changed, (1, 1))
        assert said() == f"installs\n{shown}", changed


# ------------------------------------------------------------------------------------------------- tox


def test_every_environment_is_described_and_tox_finds_itself():
    """A description is taken for a condition, "ruff: habits", or `.venv/bin/tox -e train` finds no tox."""
    for name in tox_ini().sections():
        if name.startswith("testenv:"):
            factors = re.findall(r"[\w.]+", name)
            description = tox_ini()[name].get("description", "").strip().splitlines()
            conditions = [match[1] for line in description if (match := re.match(r"\s*([\w-]+):", line))]
            assert description, name
            assert set(conditions) <= set(factors), name
    wrapper = tox_ini()["testenv:{tests, matrix, types, bench, train, diff, site}"]
    assert "{tox_root}{/}.venv{/}bin{:}{env:PATH}" in wrapper["set_env"]


def test_every_implementation_runs_its_specs_in_test_all():
    """One is registered, but nothing installs it, or test-all does without it."""
    labels = dict(line.split(" = ") for line in tox_ini()["tox"]["labels"].strip().splitlines())
    environments = re.sub(r"\{([\w, ]+)\}-py\{311.*?\}", r"\1", labels["test-all"]).split(", ")
    installed = tox_ini()["testenv:{all, peers}"]["set_env"]
    for implementation in implementations():
        assert implementation in environments
        assert f"{implementation}: PACKAGE = {implementation}" in tox_ini()["testenv"]["set_env"].splitlines()
        assert implementation in re.search("PACKAGES = (.+)", installed)[1].split()
        assert f"{{/}}{implementation}\n" in tox_ini()["testenv:dist"]["commands"] + "\n"


def test_what_needs_no_framework_of_its_own_runs_on_every_python():
    factors = ", ".join(python.replace(".", "") for python in PYTHONS)
    assert tox_ini()["tox"]["labels"].count(f"{{pure_python, numpy_impl}}-py{{{factors}}}") == 2
    assert (
        f"{{pure_python, numpy_impl}}-py{{{factors}}}"
        in tox_ini()["testenv:{tests, matrix, types, bench, train, diff, site}"]["depends"]
    )


def test_tox_asks_no_shell():
    commands = "\n".join(
        tox_ini()[section].get(key, "") for section in tox_ini().sections() for key in ("commands", "commands_pre")
    )
    assert not re.search(r"[|&;<>`$]|\b(sh|bash|rm|cp|mkdir)\b", re.sub(r'python -c ".+?"', "", commands))


def test_the_workflow_runs_every_python_on_three_systems():
    workflow = (ROOT / ".github/workflows/check.yml").read_text(encoding="utf-8")
    assert str([*PYTHONS]).replace("'", '"') in workflow
    assert {"ubuntu", "macos", "windows"} == set(re.findall(r"(\w+)-latest", workflow))


# ------------------------------------------------------------------------------------------------- packages


def wheels(folder):
    """Name → wheel, after scripts/wheels.py has filled the folder."""
    subprocess.run([sys.executable, ROOT / "scripts/wheels.py", folder], check=True)
    return {path.name.partition("-")[0]: path for path in folder.glob("*.whl")}


def test_every_package_is_built_with_its_licence_its_types_and_its_templates(tmp_path):
    found = wheels(tmp_path)
    assert found.keys() == {folder.name for folder in PROJECTS}
    for name, path in found.items():
        files = ZipFile(path).namelist()
        assert f"{name}/py.typed" in files
        assert any(re.fullmatch(rf"{name}-.+\.dist-info/licenses/LICENSE", file) for file in files)
        (source,) = (folder / "src" for folder in PROJECTS if folder.name == name)
        ours = {file.relative_to(source).as_posix() for file in source.rglob("*.*") if "__pycache__" not in file.parts}
        assert ours <= set(files)


def test_a_wheel_that_did_not_change_stays_and_an_old_one_goes(tmp_path):
    """Another environment installs from the folder at that moment, or takes the wheel of an earlier version."""
    before = {path: path.stat().st_mtime_ns for path in wheels(tmp_path).values()}
    (tmp_path / "numpy_impl-0.0.1-py3-none-any.whl").touch()
    assert {path: path.stat().st_mtime_ns for path in wheels(tmp_path).values()} == before


def test_all_packages_have_the_version_of_the_changelog():
    """Something was released under two numbers."""
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1]
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert {project(folder)["version"] for folder in PROJECTS} == {newest} == {cited}


@pytest.mark.parametrize("folder", PROJECTS, ids=lambda folder: folder.name)
def test_every_package_says_what_it_is(folder):
    metadata = project(folder)
    assert metadata["name"] == folder.name
    assert metadata["requires-python"] == f">={PYTHONS[0]}"
    assert metadata["license"] == "MIT"
    assert (folder / "LICENSE").read_text(encoding="utf-8") == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert (folder / metadata["readme"]).is_file()


@pytest.mark.parametrize("folder", PROJECTS, ids=lambda folder: folder.name)
def test_a_version_is_pinned_in_the_constraints_alone(folder):
    metadata = project(folder)
    declared = [*metadata["dependencies"], *chain(*metadata.get("optional-dependencies", {}).values())]
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    for requirement in declared:
        name = re.match(r"[\w.-]+", requirement)[0]
        assert "==" not in requirement
        assert name in [*pinned, "shared_specs"]
