"""The table in shared_specs/CONTRACT.md: every sentence of the contract has its specs, and every spec its sentence."""

import re
from pathlib import Path

from shared_specs import contract, suite

TABLE = Path(__file__).parents[1] / "shared_specs" / "CONTRACT.md"
ROWS = re.findall(r"^\| (?!what )(.+) \| (.*) \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
STATEMENTS = {statement: re.findall(r"`(test_\w+)`", specs) for statement, specs in ROWS}
SPECS = {spec.name for spec in suite.specs()}


def test_every_statement_stands_once():
    assert len(STATEMENTS) == len(ROWS) > 80


def test_every_statement_has_a_spec():
    assert [statement for statement, specs in STATEMENTS.items() if not specs] == []


def test_every_spec_that_is_named_exists():
    assert {spec for specs in STATEMENTS.values() for spec in specs} - SPECS == set()


def test_every_spec_stands_behind_a_statement():
    assert SPECS - {spec for specs in STATEMENTS.values() for spec in specs} == set()


def test_every_name_of_the_contract_has_a_statement():
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", " ".join(STATEMENTS)))))
    names = {
        *contract.METADATA,
        *contract.OPTIONAL_NAMES,
        *(name for names in contract.STAGE_NAMES.values() for name in names),
    }
    assert names - words == set()
