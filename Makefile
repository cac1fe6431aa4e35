# make help lists what there is. Everything happens in .venv; PYTHON chooses the interpreter for it.
PYTHON ?= python3
BIN := .venv/bin
# Nothing works with an older Python, so that is said first. (Any Python can read this line.)
REQUIRE = import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; \
PYTHON=$(PYTHON) is %d.%d.%d" % sys.version_info[:3])
VERSION = print("%d.%d" % sys.version_info[:2])
# A .venv that does not run, or is not of the Python that was asked for, is made anew.
FOUND := $(shell $(BIN)/python -c 'import pip; $(REQUIRE); $(VERSION)' 2>/dev/null)
WANTED := $(if $(filter file,$(origin PYTHON)),$(FOUND),$(shell $(PYTHON) -c '$(REQUIRE); $(VERSION)' 2>/dev/null))
ANEW := $(if $(and $(FOUND),$(filter $(FOUND),$(WANTED))),,anew)
# Where the real corpus is, for `make corpus-test` and `make bench`.
NSMC_ROOT ?= ../shared/nsmc

.DEFAULT_GOAL := help
.PHONY: help install train sweep tensorboard test coverage corpus-test clients clients-test versions-test rust rust-compiled rust-test page page-installed page-test serve-fuzz lint format docs bench attack plotly clean tidy anew

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

install: .venv/installed ## make .venv with the pinned dependencies

.venv/installed: pyproject.toml constraints.txt $(wildcard nsmc/runtime/kernel/*) $(ANEW)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

anew:
	@command -v $(firstword $(PYTHON)) >/dev/null || { echo "PYTHON=$(PYTHON): no such program" >&2; exit 1; }
	@$(PYTHON) -c '$(REQUIRE)'
	@test ! -e .venv || echo "making .venv anew: it has no pip, or is not of $(PYTHON)"
	@rm -rf .venv

train: install ## train a GRU on the sample corpus, on the CPU, from nothing and from the package's bundle
	$(BIN)/python train.py data=sample model=gru trainer.accelerator=cpu trainer.max_epochs=8
	$(BIN)/python train.py data=sample init_from=pretrained trainer.accelerator=cpu trainer.max_epochs=3 model.lr=0.001

sweep: install ## compare four models on the sample corpus; again, it runs what is missing
	$(BIN)/python train.py -m sweep=sample data=sample trainer.accelerator=cpu model=gru,lstm model.hidden_size=64,128

tensorboard: install ## show the losses of all runs at http://localhost:6006
	$(BIN)/tensorboard --logdir outputs

test: install ## run the test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

coverage: install ## the same, and refuse a branch coverage that is lower than it was
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term

corpus-test: install ## check reading, caching and training on the real corpus at NSMC_ROOT
	NSMC_ROOT=$(NSMC_ROOT) $(BIN)/python -m pytest tests/corpus

clients: install .venv-clients/jars .venv-clients/node .venv-clients/transformers .venv-clients/scale/installed .venv-releases/installed

clients-test: install clients ## check that other programs, candle and Java's among them, read bundles, and the runtime on other releases
	NSMC_CLIENTS=.venv-clients NSMC_RELEASES=.venv-releases $(BIN)/python -m pytest -n 2 --dist worksteal tests/clients

.venv-clients/installed: tests/clients/requirements.txt
	$(BIN)/python -m venv --clear .venv-clients
	.venv-clients/bin/pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
	@touch $@

# Without Maven or npm their folders stay empty, and the tests that need them are skipped.
.venv-clients/jars: tests/clients/pom.xml .venv-clients/installed
	@rm -rf $@ $@.new && mkdir $@.new
	@if command -v java >/dev/null && command -v mvn >/dev/null; then mvn --quiet --batch-mode --file $< \
		dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$@.new; fi
	@mv $@.new $@

.venv-clients/node: tests/clients/package.json .venv-clients/installed
	@rm -rf $@ $@.new && mkdir $@.new
	@if command -v node >/dev/null && command -v npm >/dev/null; then cp $< $@.new && npm install \
		--prefix $@.new --silent --no-audit --no-fund --ignore-scripts --no-package-lock; fi
	@mv $@.new $@

.venv-clients/transformers: tests/clients/transformers-requirements.txt .venv-clients/installed
	@rm -rf $@ $@.new
	.venv-clients/bin/pip install --quiet --disable-pip-version-check --target $@.new -r $<
	@mv $@.new $@

.venv-clients/scale/installed: tests/clients/scale-requirements.txt constraints.txt .venv-clients/installed
	$(BIN)/python -m venv --clear .venv-clients/scale
	PIP_CONSTRAINT=constraints.txt .venv-clients/scale/bin/pip install --quiet --disable-pip-version-check -r tests/clients/scale-requirements.txt
	@touch $@

# Each release of tokenizers in a folder of its own, over the packages that all of them share.
.venv-releases/installed: tests/clients/runtime-requirements.txt tests/clients/releases.py pyproject.toml constraints.txt
	$(BIN)/python -m venv --clear .venv-releases
	PIP_CONSTRAINT=constraints.txt .venv-releases/bin/pip install --quiet --disable-pip-version-check -r tests/clients/runtime-requirements.txt
	for release in $$($(BIN)/python -m tests.clients.releases); do \
	    .venv-releases/bin/pip install --quiet --disable-pip-version-check --no-deps \
	        --target .venv-releases/$$release tokenizers==$$release || exit 1; done
	@touch $@

# VERSIONS picks some of lowest, newest (each an environment of 6 GB for as long as it lasts), hydra.
VERSIONS ?= lowest newest hydra
versions-test: install ## run a few end-to-end tests with the lowest and the newest versions, and Hydra 1.4
	$(BIN)/python -m tests.versions $(VERSIONS)

# Needs cargo (https://rustup.rs), as no other target does.
CARGO_TARGET_DIR ?= $(CURDIR)/rust/target
export CARGO_TARGET_DIR

rust: ## build the executable nsmc-classify, rust/target/release/nsmc-classify
	cd rust && cargo build --locked --release

rust-compiled: # most of what rust-test takes
	cd rust && cargo clippy --locked --quiet --all-targets
	cd rust && cargo test --locked --quiet --no-run
	cd rust && cargo build --locked --quiet --features candle --example candle

rust-test: install ## check the crate in rust/, and that it answers as Python does
	cd rust && cargo fmt --check
	cd rust && cargo clippy --locked --all-targets -- -D warnings
	cd rust && cargo test --locked --quiet
	cd rust && cargo build --locked --quiet --features candle --example candle
	cd rust && cargo package --locked --quiet --allow-dirty
	NSMC_ROOT=$(NSMC_ROOT) NSMC_RUST=$(CARGO_TARGET_DIR)/debug $(BIN)/python -m pytest -n 2 --dist worksteal tests/rust

# Needs Node and Chromium (or Chrome, at NSMC_BROWSER), as no other target does.
NSMC_BROWSER ?= $(shell command -v chromium || command -v google-chrome)

page: install ## write the page of the package's bundle, outputs/nsmc.html
	$(BIN)/nsmc convert pretrained --to html --output outputs/nsmc.html

page-installed: tests/page/node_modules/.installed

page-test: install page-installed ## check that the page answers as Python does, in Node and in Chromium
	@test -n "$(NSMC_BROWSER)" || { echo "no chromium: install it, or set NSMC_BROWSER" >&2; exit 1; }
	NSMC_ROOT=$(NSMC_ROOT) NSMC_BROWSER=$(NSMC_BROWSER) $(BIN)/python -m pytest -n 2 --dist worksteal tests/page

tests/page/node_modules/.installed: tests/page/package-lock.json
	cd tests/page && npm ci --silent
	@touch $@

# FUZZ is for schemathesis: how many requests, which checks.
FUZZ ?= --max-examples 12000 --checks all
serve-fuzz: install .venv-fuzz/installed ## send nsmc serve 12,000 requests, right and wrong, with schemathesis
	$(BIN)/python -m tests.serving.fuzzing .venv-fuzz/bin/schemathesis $(FUZZ)

.venv-fuzz/installed:
	$(BIN)/python -m venv --clear .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check schemathesis==4.32.5
	@touch $@

lint: install ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## let ruff rewrite the code in the project's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install ## write docs/configuration.md from the schema and the YAML files
	$(BIN)/python -m docs.configuration docs/configuration.md

# BENCH picks some of training, overhead, profile, gpu, startup, runtime, rust, scale, engines, growth,
# quality, small, explain, forms, serving, soak, significance, sweeps, sharing, kills and nodes.
bench: .venv/bench ## measure speed against the blog post's script; NSMC_ROOT names the corpus
	NSMC_ROOT=$(NSMC_ROOT) $(BIN)/python -m tests.benchmarks $(BENCH)

.venv/bench: .venv/installed
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@rm -rf .venv/tokenizers-1
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target .venv/tokenizers-1 'tokenizers>=1.0.0rc3,<1.1'
	@touch $@

# ATTACK picks some of them; NSMC_ROOT names the corpus that some use.
attack: install ## try to break the program from outside, for many minutes
	NSMC_ROOT=$(NSMC_ROOT) $(BIN)/python -m tests.attacks $(ATTACK)

# A build with scatter and bar charts alone; npm checks what it fetches against the registry's digest.
PLOTLY := 4.1.1
ASSETS := nsmc/reports/assets
plotly: ## fetch the plotly.js of reports again, with npm; PLOTLY is its version
	cd $(ASSETS) && npm pack --silent plotly.js-basic-dist-min@$(PLOTLY)
	tar --extract --gzip --to-stdout --file $(ASSETS)/plotly*.tgz package/plotly-basic.min.js > $(ASSETS)/plotly-basic.min.js
	tar --extract --gzip --to-stdout --file $(ASSETS)/plotly*.tgz package/LICENSE > $(ASSETS)/plotly-basic.LICENSE
	rm $(ASSETS)/plotly*.tgz
	cd $(ASSETS) && sha256sum plotly-basic.min.js plotly-basic.LICENSE > plotly-basic.sha256

clean: ## remove .venv, caches and built files; outputs/ stays
	rm -rf .venv .venv-clients .venv-releases .venv-versions .venv-fuzz rust/target build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
	rm -f nsmc/runtime/_kernel*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A folder is done when the file that marks it is there, which is written last.
tidy: # remove what a clients or page-installed that was killed has half made
	@rm -rf .venv-clients/*.new
	@for folder in .venv-clients .venv-clients/scale .venv-releases; do test -e $$folder/installed || rm -rf $$folder; done
	@test -e tests/page/node_modules/.installed || rm -rf tests/page/node_modules
