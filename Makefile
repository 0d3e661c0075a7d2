# Needs make and a Python from 3.11 to 3.14; everything else it installs into .venv and .tox, by uv where that is here.
PYTHONS := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
UV := $(shell command -v uv 2>/dev/null)
READY := .venv/ready$(subst /,_,$(PYTHON:%=-%))$(if $(UV),-uv)
TOX := $(if $(UV),PIP="uv pip") PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/tox
UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_FIND_LINKS
EMPTY :=
# The tools run on the code as it stands, by the Python of an environment that tox has filled: nothing to install anew.
HERE := PYTHONPATH="$$PWD/shared_specs/src$(subst $(EMPTY) ,,$(patsubst %,:$$PWD/%,$(wildcard packages/*/src)))"
TOOL := $(HERE) .tox/all/bin/side-by-side
BENCH_IN := .tox/$(if $(PEERS)$(LIMITS),peers,all)
BENCH = $(HERE) $(BENCH_IN)/bin/side-by-side bench \
	$(if $(FULL),--full) $(if $(PEERS),--peers) $(if $(LIMITS),--limits) $(addprefix --processes ,$(PROCESSES)) \
	$(addprefix --impl ,$(IMPL)) $(addprefix --stage ,$(STAGE)) $(addprefix --device ,$(DEVICE)) \
	$(addprefix --size ,$(subst ;, ,$(subst $(EMPTY) ,,$(SIZE))))
.DEFAULT_GOAL := help
.PHONY: help test-all test-deep outsiders fuzz accuracy static zoo mutants bench bench-compare train diff site dist resolve clean

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-13s %s\n", $$1, $$2 }'
test-all: $(READY) ## every spec on every implementation, the tests across them, and the matrix
	@rm -rf .tox/reports && $(TOX) run-parallel -m test-all
test-deep: $(READY) ## the specs with ten times the examples for every property, other ones each time
	@HYPOTHESIS_PROFILE=deep $(TOX) run -m specs
fuzz: .tox/all/ready ## ten thousand odd calls of each implementation; ARGS="--impl numpy_impl --calls 1000 --seed 1"
	@$(HERE) .tox/all/bin/python -m shared_specs.fuzz $(ARGS)
accuracy: .tox/all/ready ## errors in ULPs, stage by implementation; ARGS="--impl numpy_impl"
	@$(TOOL) accuracy $(ARGS)
outsiders: $(READY) ## a net in JAX that was written from the contract alone, under the same specs
	@$(TOX) run -e outsiders
static: $(READY) ## ruff and mypy
	@$(TOX) run -m static
zoo: .tox/all/ready ## planted bugs, and the specs that catch them; ARGS="--stage backward --impl torch_manual"
	@$(TOOL) zoo $(ARGS)
mutants: .tox/all/ready ## small changes to pure_python and numpy_impl, which the specs must notice; ARGS="--stage mlp --jobs 1"
	@$(TOOL) mutants $(ARGS)
bench: $(BENCH_IN)/ready ## speed tables, in results/ too; FULL=1 PEERS=1 LIMITS=1 PROCESSES=1,2 IMPL= STAGE= DEVICE= SIZE=64,784-50-10 ARGS=--quick
	@$(BENCH) $(ARGS)
bench-compare: $(BENCH_IN)/ready ## the same, and what has become slower since the last time; THRESHOLD=25 (percent)
	@$(BENCH) --compare --threshold $(or $(THRESHOLD),25) $(ARGS)
train: .tox/all/ready ## all five train on real handwritten digits; ARGS="--epochs 5"
	@$(TOOL) train $(ARGS)
diff: .tox/all/ready ## two implementations side by side; A=torch_manual B=torch_autograd STAGE=backward
	@$(TOOL) diff $(or $(A),torch_manual) $(or $(B),torch_autograd) --stage $(or $(STAGE),backward) $(ARGS)
site: .tox/all/ready ## pages that show the code side by side, to be opened from disk: site/index.html
	@$(TOOL) site $(ARGS)
dist: $(READY) ## wheel and sdist of every package in dist/, checked; the tool in an environment of its own
	@$(TOX) run -e dist,alone
resolve: $(READY) ## does constraints.txt fit every Python and platform? ARGS="--python 3.14 --platform x86_64-pc-windows-msvc"
	@$(TOX) run -qq -e resolve -- $(ARGS)
clean: ## remove what was set up
	rm -rf .venv .tox dist results runs site

.tox/%/ready: $(READY) tox.ini constraints.txt $(wildcard shared_specs/pyproject.toml packages/*/pyproject.toml)
	@$(TOX) run -qq -e $* -- python -c "" && touch $@

# CPython from 3.11 to 3.14, 64 bits, with the GIL: what is pinned has wheels for it; and able to make a .venv
FITS = import sys, sysconfig, venv$(if $(UV),,, ensurepip); sys.exit(not ((3, 11) <= sys.version_info < (3, 15) and \
	sys.implementation.name == "cpython" and sys.maxsize > 2**32 and not sysconfig.get_config_var("Py_GIL_DISABLED")))
INSTALL = $(if $(UV),uv pip install --python .venv/bin/python --quiet --constraint constraints.txt tox tox-uv-bare, \
	.venv/bin/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt tox)
$(READY): constraints.txt
	@for python in $(PYTHONS); do $$python -c '$(FITS)' 2>/dev/null && break; done || \
		{ echo "No Python from 3.11 to 3.14 with venv here ($(PYTHONS)): install one, or name it, make PYTHON=…; on Debian, apt install python3-venv" >&2; exit 1; }; \
	echo "$$($$python --version) ($$python)" && \
	$(if $(UV),uv venv --quiet --clear --python "$$(command -v $$python)",$$python -m venv --clear) .venv && $(INSTALL) && touch $@
