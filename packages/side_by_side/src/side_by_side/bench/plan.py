"""Which cells there are: a process of its own, because it has to import every implementation.

python -m side_by_side.bench.plan < settings.json > plan.json
"""

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from shared_specs import STAGES, registry
from shared_specs.workloads import Contender, Workload, contender, digest, limit_of, net_of, rows, rungs_of
from shared_specs.workloads.implementations import Implementation
from shared_specs.workloads.peers import PEERS

from .cells import BASELINE, DEVICES, LIMITS, MODES, Cell, Settings, all_threads
from .environment import environment
from .lines import lines_of_code

PLAIN = "limit:python"
LARGE = 1e9  # multiply-adds: of more than that, only a train step is timed by default
MEDIUM = 1e8  # of more than that, several threads


def settings_text(settings: Settings) -> str:
    """The settings as JSON."""
    return json.dumps({**asdict(settings), "mode": settings.mode.name})


def main() -> None:
    """Read settings, write the plan; what the libraries print while they load goes nowhere."""
    given = json.load(sys.stdin)
    settings = Settings(**{**given, "mode": MODES[given["mode"]]})
    with contextlib.redirect_stdout(io.StringIO()):
        plan = make(settings)
    json.dump(plan, sys.stdout)


def make(settings: Settings) -> dict[str, Any]:
    """The cells, each with None or why it is not run; and what is known of implementations and machine."""
    contenders, broken = _load(settings)
    modules = [who.module for who in contenders.values() if isinstance(who, Implementation)]
    listed = {workload.size for workload in rows()}
    own = [net_of(size) for size in dict.fromkeys(settings.sizes or ()) if size not in listed]
    known = rows(rungs_of(modules), own)
    devices = _devices(settings, contenders)
    chosen = [workload for workload in known if _chosen(workload, settings)]
    cells = []
    for dtype, device, threads in _sections(settings, [device for device, why in devices.items() if why is None]):
        for workload in chosen:
            if _timed_by_default(workload, dtype, threads, settings):
                cells += list(_row(workload, dtype, device, threads, contenders))
    return {
        "cells": cells,
        "broken": broken,
        "left_out": _left_out(settings, devices),
        "implementations": {name: _about(name, who) for name, who in contenders.items()},
        "rows": {
            " | ".join((workload.work, workload.size, rung)): _about_row(workload)
            for workload in chosen
            for rung in dict.fromkeys([workload.rung, ""])  # the limit has none
        },
        "workloads": digest(),
        "environment": environment(),
    }


def _load(settings: Settings) -> tuple[dict[str, Contender], dict[str, str]]:
    """All who are timed, and who cannot be imported and why. The baseline is always among them."""
    peers = [f"peer:{name}" for name in PEERS] if settings.peers else []
    found: dict[str, Contender] = {}
    broken: dict[str, str] = {}
    for name in dict.fromkeys([*settings.implementations, BASELINE, *peers]):
        try:
            found[name] = contender(name)
        except registry.UnknownImplementation:
            broken[name] = "not installed"
        except Exception as error:  # whatever a module may do when it is imported
            broken[name] = f"cannot be imported: {type(error).__name__}: {error}"
    limits = {limit_of(name) for name in found}
    return found | {name: contender(name) for name in LIMITS if name in limits}, broken


def _devices(settings: Settings, contenders: dict[str, Contender]) -> dict[str, str | None]:
    """Device → None, or why nothing is timed there."""
    modules = [who.module for who in contenders.values() if isinstance(who, Implementation)]
    here = {device for module in modules for device in module.devices()}
    return {device: None if device in here else f"no {device.upper()}" for device in settings.devices or DEVICES}


def _chosen(workload: Workload, settings: Settings) -> bool:
    """Whether its stage and its size were asked for, and the mode is ready to wait for it."""
    stages, sizes, mode = settings.stages or STAGES, settings.sizes, settings.mode
    if workload.stage not in stages:
        return False
    if sizes:
        return workload.size in sizes
    width = workload.net.sizes[1].bit_length() if workload.work == "sweep" and workload.net else 0
    return workload.multiply_adds <= mode.largest and width % mode.sweep_step == 0


def _sections(settings: Settings, devices: list[str]) -> list[tuple[str, str, int]]:
    """(dtype, device, threads), one thread first; threads matter to the CPU only."""
    dtypes = settings.dtypes or (["float64"] if settings.mode.name == "quick" else ["float64", "float32"])
    threads = settings.threads or ([1] if settings.mode.name == "quick" else sorted({1, all_threads()}))
    return [
        (dtype, device, n)
        for n in threads
        for device in devices
        if device == "cpu" or n == threads[0]
        for dtype in dtypes
    ]


def _timed_by_default(workload: Workload, dtype: str, threads: int, settings: Settings) -> bool:
    """All in a full run; else float64 on one thread, of the rest some train steps."""
    if settings.mode.name == "full" or settings.sizes:
        return True
    step, large = workload.work == "train step", workload.multiply_adds > LARGE
    if settings.threads is None and threads > 1:
        return step and not large and workload.multiply_adds > MEDIUM and dtype == "float64"
    if settings.dtypes is None and dtype != "float64":
        return step and not large
    return step or not large


def _left_out(settings: Settings, devices: dict[str, str | None]) -> list[str]:
    """What is not timed at all, in words."""
    said = [f"{device}: not run: {why}" for device, why in devices.items() if why]
    if settings.mode.name == "quick":
        said.append(
            "quick: float64, one thread, small nets, few widths, too few processes for verdicts: for a look only"
        )
    if settings.mode.name == "default" and not settings.sizes:
        said.append("the largest net: a train step only; FULL=1 times all")
        if settings.dtypes is None:
            said.append("float32: train steps only, not of the largest net; FULL=1 times all")
        if settings.threads is None and all_threads() > 1:
            said.append(f"{all_threads()} threads: a train step of the net before the largest only; FULL=1 times all")
    return said


def _row(
    workload: Workload, dtype: str, device: str, threads: int, contenders: dict[str, Contender]
) -> Iterator[dict[str, Any]]:
    limits = {name: name if who.kind == "limit" else limit_of(name) for name, who in contenders.items()}
    for name, who in contenders.items():
        if device != "cpu" and name == BASELINE:
            continue
        cell = Cell(workload.work, workload.size, workload.rung, dtype, device, threads, name)
        if who.kind == "limit":
            if workload.rung not in ("", "builtin"):
                continue
            cell = cell.limit(name)
        why = who.hindrance(workload, dtype, device)
        if threads > 1 and limits[name] == PLAIN:
            why = why or "plain Python uses one thread"
        if why is None or who.kind != "limit":
            yield {"cell": cell, "hindrance": why}


def _about_row(workload: Workload) -> dict[str, Any]:
    return {
        "stage": workload.stage,
        "multiply_adds": workload.multiply_adds,
        "width": workload.net.sizes[1] if workload.work == "sweep" and workload.net else None,
    }


def _about(name: str, who: Contender) -> dict[str, Any]:
    about: dict[str, Any] = {"kind": who.kind, "limit": None, "version": None, "lines": None}
    if isinstance(who, Implementation):
        about |= {"version": registry.version(who.module), "lines": lines_of_code(who.module)}
    if who.kind != "limit":
        about["limit"] = limit_of(name)
    return about


if __name__ == "__main__":
    main()
