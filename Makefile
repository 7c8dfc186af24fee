# The targets are for people; CI runs `.ci/run`, which is `make test`.
PREFIX ?= /usr/local
# One configuration for everything: a second one would cost a second cold build (6 to 11 minutes).
FLAGS = -c release --build-tests -debug-info-format none -Xcc -g0
BIN = .build/release
SWIFT = swift
FOLDERS = Sources Tests Package.swift

.PHONY: deps machines build check test host vmlab vmtest demo bench fmt install clean

deps:
	scripts/setup

# And QEMU, for what runs in virtual machines.
machines:
	scripts/setup machines

build:
	$(SWIFT) build $(FLAGS)

# Seconds: the formatter's rules, then the house rules if a build exists.
check:
	$(SWIFT) format lint --strict --parallel --recursive $(FOLDERS)
	scripts/test tidy

# All tests, those that need root, real tools and virtual machines included; figures go to
# .results/test.json.
test: machines build
	scripts/test all

# Only the tests with real tools on hosts of namespaces.
host: build
	scripts/test host

# On kernels that this machine does not have, in virtual machines; needs root, no KVM. These jobs
# are tests of `make test`, too. VMLAB adds to the command line, e.g. VMLAB="--kernel 6.12".
vmlab: machines build
	scripts/vmlab $(VMLAB) move lvm pools

# Every job.
vmtest: machines build
	scripts/vmlab $(VMLAB) all

demo: deps build
	$(BIN)/lab demo

# A client's view of moves by memory size and write rate, beside other systems; figures go to
# .results/bench.json. BENCH adds to the command line, e.g. BENCH="--sizes 64 --document".
bench: deps build
	scripts/setup-peers
	$(BIN)/lab bench $(BENCH)

fmt:
	$(SWIFT) format --in-place --parallel --recursive $(FOLDERS)

# The program goes beside the Swift libraries that it needs, so that the host needs no toolchain.
install:
	scripts/install $(BIN) $(DESTDIR)$(PREFIX) $(DESTDIR)/etc/systemd/system

clean:
	rm -rf .build .results
