# Needs Python 3.11 and make; everything else it installs into .venv and .tox.
PYTHON ?= python3.11
TOX := PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/tox
EMPTY :=
BENCH = WITH=$(if $(PEERS)$(LIMITS),peers,all) $(TOX) run -qq -e bench -- \
	$(if $(FULL),--full) $(if $(PEERS),--peers) $(if $(LIMITS),--limits) \
	$(addprefix --impl ,$(IMPL)) $(addprefix --stage ,$(STAGE)) $(addprefix --device ,$(DEVICE)) \
	$(addprefix --size ,$(subst ;, ,$(subst $(EMPTY) ,,$(SIZE))))
.DEFAULT_GOAL := help
.PHONY: help test-all test-deep fuzz accuracy static zoo mutants bench bench-compare train diff site clean

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-13s %s\n", $$1, $$2 }'
test-all: .venv/ready ## every spec on every implementation, the tests across them, and the matrix
	@rm -rf .tox/reports && $(TOX) run-parallel -m test-all
test-deep: .venv/ready ## the specs with ten times the examples for every property, other ones each time
	@HYPOTHESIS_PROFILE=deep $(TOX) run -m specs
fuzz: .venv/ready ## ten thousand odd calls of each implementation; ARGS="--impl numpy_impl --calls 1000 --seed 1"
	@$(TOX) run -qq -e all -- python -m shared_specs.fuzz $(ARGS)
accuracy: .venv/ready ## errors in ULPs, stage by implementation; ARGS="--impl numpy_impl"
	@$(TOX) run -qq -e all -- side-by-side accuracy $(ARGS)
static: .venv/ready ## ruff and mypy
	@$(TOX) run -m static
zoo: .venv/ready ## planted bugs, and the specs that catch them; ARGS="--stage backward --impl torch_manual"
	@$(TOX) run -qq -e all -- side-by-side zoo $(ARGS)
mutants: .venv/ready ## small changes to pure_python and numpy_impl, which the specs must notice; ARGS="--stage mlp --jobs 1"
	@$(TOX) run -qq -e all -- side-by-side mutants $(ARGS)
bench: .venv/ready ## speed tables, in results/ too; FULL=1 PEERS=1 LIMITS=1 IMPL= STAGE= DEVICE= SIZE=64,784-50-10 ARGS=--quick
	@$(BENCH) $(ARGS)
bench-compare: .venv/ready ## the same, and what has become slower since the last time; THRESHOLD=25 (percent)
	@$(BENCH) --compare --threshold $(or $(THRESHOLD),25) $(ARGS)
train: .venv/ready ## all five train on real handwritten digits; ARGS="--epochs 5"
	@$(TOX) run -qq -e train -- $(ARGS)
diff: .venv/ready ## two implementations side by side; A=torch_manual B=torch_autograd STAGE=backward
	@$(TOX) run -qq -e diff -- $(or $(A),torch_manual) $(or $(B),torch_autograd) --stage $(or $(STAGE),backward) $(ARGS)
site: $(READY) ## pages that show the code side by side, to be opened from disk: site/index.html
	@$(TOX) run -qq -e site -- $(ARGS)
clean: ## remove what was set up
	rm -rf .venv .tox results runs
.venv/ready: constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not here: install Python 3.11, or name it, make PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv .venv && .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt tox && touch $@
