# What a developer and CI run. Each target sets up what it needs by itself
# (assets/dev/setup.sh); a second run installs and rebuilds nothing.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The package that the tests install in their nodes; another one: SFHA_DEB=FILE.
TARGET := $(or $(CARGO_TARGET_DIR),target)
WITH_DEB = SFHA_DEB="$${SFHA_DEB:-$$(realpath $(TARGET)/lab-deb/sfha_*_amd64.deb)}"
SETUP = ./assets/dev/setup.sh
SEEDS = 200000
SECONDS = 60

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

.PHONY: setup
setup: ## install what builds, tests and demo need (root; Debian 12)
	@$(SETUP) build lab

.PHONY: demo
demo: setup ## three nodes on this machine: init, join, VIP, failover
	@./assets/dev/deb.sh lab
	@$(WITH_DEB) cargo run -q --profile lab -p sfha-tests --no-default-features --bin sfha-demo

# Tests that need root are marked as ignored; whoever came this far is root.
.PHONY: test
test: setup ## every test that can run here; one: make test ARGS='-E "test(name)"'
	@./assets/dev/deb.sh lab
	@$(WITH_DEB) cargo nextest run --workspace --run-ignored all $(ARGS)

.PHONY: check
check: ## format, lints, documentation, licences
	@$(SETUP) build check
	@./assets/dev/check.sh

.PHONY: deb
deb: ## the package: target/debian/sfha_*_amd64.deb
	@$(SETUP) build
	@./assets/dev/deb.sh release

.PHONY: lab-deb
lab-deb: ## the package, quick to build: target/lab-deb/
	@$(SETUP) build
	@./assets/dev/deb.sh lab

.PHONY: bench
bench: ## measure what users get (the release package), against keepalived
	@$(SETUP) build lab bench
	@./assets/dev/deb.sh release
	@SFHA_DEB="$${SFHA_DEB:-$$(realpath $(TARGET)/debian/sfha_*_amd64.deb)}" cargo run -q --profile lab -p sfha-tests --no-default-features --bin sfha-bench -- $(ARGS)

.PHONY: reference
reference: ## keys and types of config.yml: docs/*/reference.md
	@SFHA_RENEW=1 cargo nextest run --cargo-quiet -p sfha-config --test reference -E 'test(/^every_key/)'

.PHONY: pictures
pictures: setup ## the dashboard as pictures: docs/pictures/
	@cargo nextest run --cargo-quiet -p sfha-tui --ignore-default-filter -E 'test(=ui::tests::pictures::pictures)'

.PHONY: fuzz
fuzz: ## every parser under libFuzzer: make fuzz SECONDS=3600
	@$(SETUP) build fuzz
	@./assets/dev/fuzz.sh $(SECONDS)

.PHONY: chaos
chaos: setup ## random faults in the lab: make chaos SECONDS=3600 [SEED=1 NODES=5]
	@./assets/dev/deb.sh lab
	@$(WITH_DEB) SFHA_CHAOS_SECONDS=$(SECONDS) $(if $(SEED),SFHA_CHAOS_SEED=$(SEED)) $(if $(NODES),SFHA_CHAOS_NODES=$(NODES)) \
		cargo nextest run --profile soak --no-capture -p sfha-tests --test chaos

.PHONY: soak-fencing
soak-fencing: setup ## fencing in the lab, twenty rounds, and fifty of two nodes
	@./assets/dev/deb.sh lab
	@$(WITH_DEB) SFHA_FENCE_ROUNDS=20 SFHA_DUEL_ROUNDS=50 \
		cargo nextest run --profile soak --no-capture -p sfha-tests --test e2e -E 'test(fencing::)'

.PHONY: soak
soak: ## the simulation with many more faults: make soak SEEDS=1000000
	@$(SETUP) build lab
	@SFHA_SIM_SEEDS=$(SEEDS) cargo nextest run --profile soak --cargo-profile soak -p sfha-sim $(ARGS)

.PHONY: mutations
mutations: ## whether the simulation bites: the core's rules broken, one at a time
	@$(SETUP) build lab
	@./assets/dev/mutations.sh 20000 $(ARGS)
