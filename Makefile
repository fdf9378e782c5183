# The one front door of avfs: `make mount` and `make test` work alone on a fresh machine with gcc, make, npm and any
# Node. What they need are files, so a second run does nothing. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

VAULT ?= myproject
AT ?= ./mnt/$(VAULT)
PREFIX ?= /usr/local
export PJDFSTEST XFSTESTS PTLL BACKEND

# The system's node if it runs TypeScript (22.18 or newer) and has its C headers beside it; else one from npm, which comes
# with both: no other host is asked.
NODE_VERSION := 24.21.0
ARCH := $(subst x86_64,x64,$(subst aarch64,arm64,$(shell uname -m)))
TOOLCHAIN := .toolchain/node_modules/node-linux-$(ARCH)
NODE_PREFIX := $(or $(shell scripts/system-node),$(CURDIR)/$(TOOLCHAIN))
NODE := $(NODE_PREFIX)/bin/node
RUN := PATH="$(NODE_PREFIX)/bin:$$PATH"
FUSERMOUNT := $(or $(shell command -v fusermount3),/usr/bin/fusermount3)
ADDON := native/fuse/build/fuse.node
MODULES := node_modules/.package-lock.json
BUILT := $(MODULES) $(ADDON)

# Engines that are built only when somebody wants them.
ROCKSDB := native/rocksdb/build/rocksdb.node
ROCKSDB_HEADER := $(firstword $(wildcard /usr/include/rocksdb/db.h /usr/local/include/rocksdb/db.h) /usr/include/rocksdb/db.h)
SLED := native/sled/build/sled.node
CARGO := $(firstword $(shell command -v cargo) $(wildcard $(HOME)/.cargo/bin/cargo))
# Without it, each crate has its own.
SLED_TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/native/sled/target)
TANTIVY := native/tantivy-node/build/tantivy-node.node
TANTIVY_TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/native/tantivy-node/target)

## List the targets
.PHONY: help
help:
	@awk '/^## / { text = substr($$0, 4) } \
	  /^[a-z-]+:/ && text { split($$0, name, ":"); printf "  make %-16s %s\n", name[1], text; text = "" }' Makefile

# Nothing is compiled from TypeScript: Node runs the sources.
## Install what avfs needs and build the native addon
.PHONY: build
build: $(BUILT)

$(CURDIR)/$(TOOLCHAIN)/bin/node:
	@command -v npm >/dev/null || { echo 'make: npm is missing: install the package npm' >&2; exit 1; }
	mkdir -p .toolchain
	echo '{ "private": true }' >.toolchain/package.json
# Not --prefix: it would hide the machine's own npmrc.
	cd .toolchain && npm install --no-save --no-audit --no-fund --ignore-scripts node-linux-$(ARCH)@$(NODE_VERSION)

# With npm's own node, whose npmrc it knows: nothing is run here, so its version does not matter.
$(MODULES): package.json package-lock.json | $(NODE)
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

$(ADDON): $(wildcard native/fuse/*.c native/fuse/*.h) | $(NODE)
	mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -fPIC -shared -I$(NODE_PREFIX)/include/node -o $@ $(filter %.c,$^)

# With Debian's shared librocksdb: its static one cannot be linked into an addon.
## Build the RocksDB engine
.PHONY: rocksdb
rocksdb: $(ROCKSDB)

$(ROCKSDB): $(wildcard native/rocksdb/*.cc native/rocksdb/*.h) | $(NODE) $(ROCKSDB_HEADER)
	mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -Wall -Wextra -fPIC -shared -I$(NODE_PREFIX)/include/node -o $@ $(filter %.cc,$^) -lrocksdb

$(ROCKSDB_HEADER):
	@if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo 'make: RocksDB is missing: install the package librocksdb-dev (as root: apt-get install librocksdb-dev)' >&2; exit 1; fi
	DEBIAN_FRONTEND=noninteractive apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends librocksdb-dev

# A minute the first time; CARGO_TARGET_DIR=folder keeps what cargo builds for other checkouts.
## Build the Sled engine
.PHONY: sled
sled: $(SLED)

$(SLED): native/sled/Cargo.toml native/sled/Cargo.lock native/sled/build.rs $(wildcard native/sled/src/*.rs)
	@[ -n "$(CARGO)" ] || { echo 'make: cargo is missing: install Rust 1.89 or newer (https://rustup.rs)' >&2; exit 1; }
	mkdir -p $(@D)
	cd native/sled && CARGO_TARGET_DIR="$(SLED_TARGET)" "$(CARGO)" build --release --locked --quiet
	cp --remove-destination "$(SLED_TARGET)/release/libavfs_sled.so" $@

# Some minutes the first time. Vaults on SQLite are searched by SQLite itself.
## Build the search of vaults on other engines than SQLite
.PHONY: search
search: $(TANTIVY)

$(TANTIVY): $(addprefix native/tantivy-node/,Cargo.toml Cargo.lock build.rs) $(wildcard native/tantivy-node/src/*.rs)
	@[ -n "$(CARGO)" ] || { echo 'make: cargo is missing: install Rust 1.89 or newer (https://rustup.rs)' >&2; exit 1; }
	mkdir -p $(@D)
	cd native/tantivy-node && CARGO_TARGET_DIR="$(TANTIVY_TARGET)" "$(CARGO)" build --release --locked --quiet
	cp --remove-destination "$(TANTIVY_TARGET)/release/libtantivy_node.so" $@

# Tests need every engine. One that cannot be built says why here, and its tests fail. All at once: each has times when it keeps one core
# busy alone.
.PHONY: engines
engines:
	@build() { $(MAKE) --no-print-directory "$$1" || echo "make: the tests of $$2 will fail" >&2; }; \
	build rocksdb RocksDB & build sled Sled & build search tantivy & wait

$(FUSERMOUNT):
	@if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo 'make: fusermount3 is missing: install the package fuse3 (as root: apt-get install fuse3)' >&2; exit 1; fi
	DEBIAN_FRONTEND=noninteractive apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends fuse3

# The programs that the mounted tests run: git, rsync, sqlite3 ... A test that misses one fails and names it.
TEST_PROGRAMS := .toolchain/test-programs
$(TEST_PROGRAMS): test/support/packages.txt
	@mkdir -p $(@D)
	@missing=$$(for package in $$(cat $<); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done); \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -qq --no-install-recommends $$missing; \
	elif [ -n "$$missing" ]; then \
	  echo 'make: for all tests install these packages:' $$missing >&2; exit 0; fi; touch $@

# From nothing to a directory in one command: VAULT=name AT=directory.
## Create the vault VAULT if it is new and mount it AT a directory
.PHONY: mount
mount: $(BUILT) $(FUSERMOUNT)
	@scripts/avfs vault info "$(VAULT)" >/dev/null 2>&1 || scripts/avfs vault create "$(VAULT)" >/dev/null
	@mkdir -p "$(AT)"
	@scripts/avfs mount "$(VAULT)" "$(AT)"
	@echo
	@echo 'Try next:'
	@echo '  git clone $(CURDIR) $(AT)/avfs && ls -l $(AT)/avfs'
	@echo '  df -h $(AT)'
	@echo '  scripts/avfs vault stats $(VAULT)'
	@echo '  make unmount AT=$(AT)'

# Waits until the vault is closed, so that it can be mounted or copied at once.
## Unmount AT
.PHONY: unmount
unmount: $(BUILT)
	@scripts/avfs unmount "$(AT)"

# All groups in one run, so that the last line counts them all. AVFS_TEST_LANES=1 runs one file at a time; AVFS_TEST_TIMES=test/times.json
# keeps what each file took.
## Run every test
.PHONY: test
test: $(BUILT) engines $(FUSERMOUNT) $(TEST_PROGRAMS)
	@$(RUN) node scripts/run-tests.ts unit store vault search session fuzz cli mount crash engines

## Run what finds most mistakes in about a minute
.PHONY: test-quick
test-quick: $(BUILT) engines $(FUSERMOUNT) $(TEST_PROGRAMS)
	@$(RUN) node scripts/run-tests.ts quick

# One layer each, from the fastest to the slowest.
## Test single modules
.PHONY: test-unit
test-unit: $(BUILT)
	@$(RUN) node scripts/run-tests.ts unit

## Test the store engines
.PHONY: test-store
test-store: $(BUILT) engines
	@$(RUN) node scripts/run-tests.ts store

## Test the vault against a model
.PHONY: test-vault
test-vault: $(BUILT) engines
	@$(RUN) node scripts/run-tests.ts vault

## Test the engines of search
.PHONY: test-search
test-search: $(BUILT) engines
	@$(RUN) node scripts/run-tests.ts search

## Test the protocol, bytes in and bytes out
.PHONY: test-session
test-session: $(BUILT)
	@$(RUN) node scripts/run-tests.ts session

## Test with random input by fixed seeds
.PHONY: test-fuzz
test-fuzz: $(BUILT) engines
	@$(RUN) node scripts/run-tests.ts fuzz

## Test the command line
.PHONY: test-cli
test-cli: $(BUILT) engines $(FUSERMOUNT) $(TEST_PROGRAMS)
	@$(RUN) node scripts/run-tests.ts cli

## Test real mounts
.PHONY: test-mount
test-mount: $(BUILT) engines $(FUSERMOUNT) $(TEST_PROGRAMS)
	@$(RUN) node scripts/run-tests.ts mount

# `make test` runs a few rounds of these; this is the long run. AVFS_CRASH_BACKEND=lmdb does it to another engine.
## Kill the daemon under load, 50 rounds (minutes)
.PHONY: test-crash
test-crash: $(BUILT) engines $(FUSERMOUNT)
	@AVFS_CRASH_ROUNDS=$${AVFS_CRASH_ROUNDS:-50} $(RUN) node scripts/run-tests.ts crash

# On a disk that forgets what was not synced. AVFS_TEST_BACKEND=lmdb does it to another engine.
## Cut the power under load, 500 times (minutes)
.PHONY: test-power
test-power: $(BUILT) engines $(FUSERMOUNT)
	@AVFS_POWER_CUTS=$${AVFS_POWER_CUTS:-500} $(RUN) node test/crash/power-cut.test.ts

# AVFS_TEST_BACKENDS=lmdb,sled names some engines alone.
## Test real mounts on each engine but the default
.PHONY: test-engines
test-engines: $(BUILT) $(FUSERMOUNT) $(TEST_PROGRAMS)
	@$(RUN) node scripts/run-tests.ts engines

# Views, git, builds, databases and the rest of what is mounted: 10 minutes an engine or more.
## Test all that is mounted on each engine but the default
.PHONY: test-engines-all
test-engines-all: $(BUILT) engines $(FUSERMOUNT) $(TEST_PROGRAMS)
	@$(RUN) node scripts/run-tests.ts engines-all

# Types, format and the layout that docs/architecture.md describes.
## Check types, style and the direction of imports
.PHONY: lint
lint: $(MODULES)
	@$(RUN) node_modules/.bin/tsc
	@$(RUN) node_modules/.bin/biome check --error-on-warnings
	@$(RUN) node scripts/tidy.ts

# Needs an otherwise idle machine; PTLL=path of passthrough_ll to compare with.
## Measure the vault against a plain folder and its peers
.PHONY: bench
bench: $(BUILT) $(FUSERMOUNT)
	@$(RUN) node scripts/bench.ts
	@$(RUN) node scripts/bench-engines.ts
	@$(RUN) node scripts/bench-history.ts
	@$(RUN) node scripts/bench-import.ts
	@$(RUN) node scripts/bench-prune.ts
	@$(RUN) node scripts/bench-past.ts
	@$(RUN) node scripts/bench-listings.ts
	@$(RUN) node scripts/bench-views.ts
	@$(RUN) node scripts/bench-snapshot.ts
	@$(RUN) node scripts/bench-search.ts

# Each kind of input for SECONDS (60), or INPUT=name,name alone, JOBS at a time. SEED brings a run back, with SECONDS=0 that seed alone.
## Feed random input to whatever reads what strangers wrote
.PHONY: fuzz
fuzz: $(BUILT) engines
	@$(RUN) node scripts/fuzz.ts $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(INPUT),--input $(INPUT)) $(if $(JOBS),--jobs $(JOBS))

# As root, since the users have ids of their own; MINUTES bounds it, SEED chooses what is done.
## Work on one vault as four users for two hours, and look whether it stays as it was
.PHONY: soak
soak: $(BUILT) $(FUSERMOUNT)
	@$(RUN) node scripts/soak.ts $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

# github.com/pjd/pjdfstest, as root. BACKEND=lmdb runs it on another engine.
## Run pjdfstest from the checkout PJDFSTEST=
.PHONY: pjdfstest
pjdfstest: $(BUILT) $(FUSERMOUNT) $(TEST_PROGRAMS)
	@scripts/pjdfstest

# kdave/xfstests, as root.
## Run xfstests generic/quick from the checkout XFSTESTS=
.PHONY: xfstests
xfstests: $(BUILT) $(FUSERMOUNT)
	@scripts/xfstests

# JavaScript for the npm package, where Node would not strip types.
## Compile dist/ for the npm package
.PHONY: dist
dist: $(BUILT)
	rm -rf dist
	$(RUN) node_modules/.bin/tsc -p tsconfig.dist.json
	chmod +x dist/cli/main.js

# A copy that needs neither this checkout nor the system's node. An addon that is written over in place ends each daemon that
# has it mapped.
## Install avfs below PREFIX
.PHONY: install
install: dist
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/avfs/native/fuse/build" "$(DESTDIR)$(PREFIX)/lib/avfs/bin"
	cp -r dist package.json package-lock.json .npmrc LICENSE "$(DESTDIR)$(PREFIX)/lib/avfs"
	cp --remove-destination $(ADDON) "$(DESTDIR)$(PREFIX)/lib/avfs/native/fuse/build"
	for engine in rocksdb sled tantivy-node; do \
	  if [ -f native/$$engine/build/$$engine.node ]; then \
	    install -D -t "$(DESTDIR)$(PREFIX)/lib/avfs/native/$$engine/build" native/$$engine/build/$$engine.node; fi; done
	cp --remove-destination "$(NODE)" "$(DESTDIR)$(PREFIX)/lib/avfs/bin/node"
	cd "$(DESTDIR)$(PREFIX)/lib/avfs" && \
	  npm ci --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error
	printf '#!/bin/sh\nexec "%s/bin/node" "%s/dist/cli/main.js" "$$@"\n' \
	  "$(PREFIX)/lib/avfs" "$(PREFIX)/lib/avfs" >"$(DESTDIR)$(PREFIX)/bin/avfs"
	chmod 755 "$(DESTDIR)$(PREFIX)/bin/avfs"

# Vaults are not touched.
## Remove all that make made
.PHONY: clean
clean:
	rm -rf node_modules .toolchain .tap native/*/build native/*/target dist
