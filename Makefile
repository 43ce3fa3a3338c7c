# The default target builds bin/strongroom; "make help" lists the others.

# Programs for the tests are built once and kept below CACHE: MinIO takes minutes.
CACHE ?= $(CURDIR)/.cache
# For go test, such as TESTFLAGS=-v or TESTFLAGS='-run Restore'.
TESTFLAGS ?=
# For make soak: how long, and the seed from which all its random numbers come.
SOAK ?= 10m
# For make mutate: how many mutations it draws, and flags such as -only archive/internal/pruner or -long 10m.
MUTATE ?= 200
MUTATEFLAGS ?=
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
FUZZTIME ?= 30s
# For make bench: what was measured is kept in this file, one for each day, and a stopped run continues from it. With
# BENCH_PIN=1 the server has the lower half of the cores, and the clients have the others.
BENCH_RESULTS ?= $(CACHE)/bench/$(shell date -u +%F).jsonl
BENCH_ENV = BENCH_RESULTS=$(BENCH_RESULTS) BENCH_RCLONE=$$(ls $(RCLONE) 2>/dev/null) \
	BENCH_RESTIC=$$(ls $(RESTIC) 2>/dev/null) BENCH_KOPIA=$$(ls $(KOPIA) 2>/dev/null)
BENCH_PINNED = $(if $(BENCH_PIN),taskset -c 0-$$(($$(nproc --all) / 2 - 1)))
# The version of a release is its tag. A clone without tags has the newest one of the changelog, with the commit.
VERSION ?= $(shell git describe --tags --match 'v*' --dirty 2>/dev/null || \
	echo "$$(sed -n 's/^## \[\(v[0-9.]*\)\] - .*/\1/p' CHANGELOG.md | head -n 1)+$$(git describe --always --dirty 2>/dev/null || echo unknown)")

hash = $(shell cat $(1) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
TOOLS := $(CACHE)/bin/tools-$(call hash,testdata/tools/go.sum)
MINIO := $(CACHE)/bin/minio-$(call hash,testdata/servers/go.sum)
AZURITE := $(CACHE)/azurite-$(call hash,testdata/servers/npm/package-lock.json)
GCS := $(CACHE)/bin/fake-gcs-$(call hash,testdata/servers/gcs/go.sum)
RCLONE := $(CACHE)/bin/rclone-$(call hash,bench/rclone/go.sum)
RESTIC := $(CACHE)/bin/restic-$(call hash,bench/restic/go.sum)
KOPIA := $(CACHE)/bin/kopia-$(call hash,bench/kopia/go.sum)
TOXIPROXY := $(CACHE)/bin/toxiproxy-$(call hash,testdata/servers/toxiproxy/go.sum)
VERSITYGW := $(CACHE)/bin/versitygw-$(call hash,testdata/servers/versitygw/go.sum)
SEAWEEDFS := $(CACHE)/bin/seaweedfs-$(call hash,testdata/servers/seaweedfs/go.sum)
TESTSERVERS := $(CACHE)/bin/testservers
SERVERS := -minio $(MINIO) -azurite $(AZURITE)/node_modules/.bin/azurite-blob -gcs $(GCS) -toxiproxy $(TOXIPROXY)

# The packages with goroutines that share data.
CONCURRENT := ./archive ./archive/encoding ./archive/internal/... ./cmd/strongroom ./providers/... ./internal/disk ./service/... ./source

# Separate modules: dependencies of tests alone stay out of the product's go.mod.
MODULES := testdata/mutate testdata/servers/testservers testdata/servers/compose testdata/rules testdata/release testdata/pictures bench

# The packages whose tests take longest begin first, so that none of them runs alone at the end.
LONGEST := ./archive ./cmd/strongroom ./service/web ./providers/... ./config ./service/...

# Tests have short lives and much garbage: collecting it less often saves a fifth of their time. The program has a setting
# of its own. go test leaves out its own vet, because "make check" runs all of vet.
GOTEST := GOGC=400 go test -vet=off

# Tests use the same build settings as releases, so that packages are compiled once. The tag leaves out gRPC's
# transports for Google's own network, 13 MB that nothing uses.
export CGO_ENABLED = 0
export GOFLAGS = -trimpath -tags=disable_grpc_modules

.PHONY: build
build: ## build bin/strongroom
	go build -buildvcs=false -ldflags='-s -w -X main.version=$(VERSION)' -o bin/strongroom ./cmd/strongroom

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: build ## build, then show the main job, with no configuration, server or credentials
	bin/strongroom demo

.PHONY: check
check: $(TOOLS)/gofumpt ## the fast loop: format, vet, staticcheck, short tests; no servers
	@diff=$$($(TOOLS)/gofumpt -d . $(MODULES)) && test -z "$$diff" || \
		{ printf '%s\n' "$$diff"; echo 'not formatted: run make format'; exit 1; }
	@$(MAKE) --no-print-directory -j2 check-lint check-test

.PHONY: check-lint
check-lint: # vet and staticcheck of all modules
	go vet ./...
	go vet -tags=disable_grpc_modules,man ./cmd/strongroom # the build that writes the manual pages
	@set -e; for m in $(MODULES); do echo "go -C $$m vet ./..."; go -C $$m vet ./...; done
	$(TOOLS)/staticcheck ./...
	@set -e; for m in $(MODULES); do (cd $$m && $(TOOLS)/staticcheck ./...); done

.PHONY: check-test
check-test: # the short tests
	$(GOTEST) -short $(TESTFLAGS) ./...

.PHONY: format
format: $(TOOLS)/gofumpt ## format all Go files
	$(TOOLS)/gofumpt -l -w . $(MODULES)

.PHONY: test
test: deps servers $(TOOLS)/gofumpt ## all tests, with real databases, servers and browser; builds what they need
	@$(MAKE) --no-print-directory -j2 test-modules test-packages
	@echo 'the twenty slowest tests:'
	@$(TOOLS)/gotestsum tool slowest --num 20 --jsonfile $(CACHE)/test.json

.PHONY: test-packages
test-packages: # the tests of the product; three packages at once, because tests also wait
	GOGC=400 $(TESTSERVERS) $(SERVERS) -- $(TOOLS)/gotestsum --format pkgname --jsonfile $(CACHE)/test.json -- \
		-vet=off -count=1 -timeout 40m -p 3 $(TESTFLAGS) $(LONGEST) ./...

.PHONY: test-modules
test-modules: # the tests of the separate modules
	@set -e; for m in $(MODULES); do echo "go -C $$m test ./..."; GOGC=400 go -C $$m test -vet=off $(TESTFLAGS) ./...; done

.PHONY: stores
stores: minio versitygw rclone seaweedfs testservers ## the conformance suite of stores on S3 servers other than MinIO; builds them
	$(TESTSERVERS) -minio $(MINIO) -versitygw $(VERSITYGW) -rclone $(RCLONE) -seaweedfs $(SEAWEEDFS) -- \
		go test -count=1 -timeout 40m -run '^TestStores' $(TESTFLAGS) ./providers/s3 -stores

.PHONY: race
race: ## the concurrent packages with the race detector, without servers
	@.ci/deps cc
	CGO_ENABLED=1 $(GOTEST) -race -short -count=1 -timeout 40m $(TESTFLAGS) $(CONCURRENT)

.PHONY: cross
cross: ## vet, with the tests compiled, for the other systems and processors
	@set -e; for p in linux/arm64 darwin/amd64 darwin/arm64 freebsd/amd64 freebsd/arm64; do \
		echo "go vet ./... for $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./...; \
	done

.PHONY: soak
soak: deps servers ## the random proofs for SOAK (10m), two at a time, with a new SEED
	$(TESTSERVERS) $(SERVERS) -- .ci/soak $(SOAK) $(SEED)

.PHONY: mutate
mutate: ## small faults that the tests must find: the patches and MUTATE (200) drawn from SEED; resumable
	go -C testdata/mutate build -buildvcs=false -o $(CACHE)/bin/mutate .
	nice -n 19 $(CACHE)/bin/mutate -n $(MUTATE) -seed $(SEED) -state $(CACHE)/mutate $(MUTATEFLAGS)

.PHONY: servers
servers: minio azurite gcs toxiproxy testservers # the servers that the tests use

.PHONY: bench
bench: minio testservers bench-peers ## compare with lower bounds, rclone, restic and kopia; BENCH_SCALE=small takes about an hour
	go -C bench build -buildvcs=false -o $(CACHE)/bin/bench .
	go build -buildvcs=false -ldflags='-s -w' -o $(CACHE)/bin/strongroom-bench ./cmd/strongroom # the same as long as the code is
	$(BENCH_ENV) $(BENCH_PINNED) $(TESTSERVERS) -minio $(MINIO) -- $(CACHE)/bin/bench run $(CACHE)/bin/strongroom-bench

.PHONY: bench-profile
bench-profile: minio testservers ## draw docs/benchmarks.svg, where the processor time goes, and print its figures
	@.ci/deps perf
	go -C bench build -buildvcs=false -o $(CACHE)/bin/bench .
	go build -buildvcs=false -o $(CACHE)/bin/strongroom-symbols ./cmd/strongroom
	$(BENCH_PINNED) $(TESTSERVERS) -minio $(MINIO) -- $(CACHE)/bin/bench profile $(CACHE)/bin/strongroom-symbols docs/benchmarks.svg

.PHONY: bench-peers
bench-peers: # the other programs; the comparison goes on without one that is not to be had
	@.ci/deps restic || echo 'without the restic of the system, which is not installed'
	@for p in rclone restic kopia; do \
		$(MAKE) --no-print-directory $$p || echo "without $$p, which cannot be built"; \
	done

.PHONY: release
release: ## the files of a release of VERSION, for all systems, in dist/
	go -C testdata/release build -buildvcs=false -o $(CACHE)/bin/release .
	@rm -rf bin/dist
	$(CACHE)/bin/release -version '$(VERSION)' -out bin/dist
	@rm -rf dist # only now: a refusal keeps the files of the last release
	@mv bin/dist dist

.PHONY: release-test
release-test: ## a release from two directories, go install from a module proxy, and an RPM package; minutes
	@.ci/deps git rpm lintian
	go -C testdata/release test -count=1 -timeout 30m $(TESTFLAGS) ./... -release

.PHONY: pictures
pictures: build ## draw docs/pictures, which the README shows: the status page and a terminal, light and dark
	@.ci/deps chromium
	@mkdir -p docs/pictures
	STRONGROOM_PICTURES=$(CURDIR)/docs/pictures go test -count=1 -run '^TestBrowserReadme$$' ./service/web
	go -C testdata/pictures run . -strongroom $(CURDIR)/bin/strongroom -out $(CURDIR)/docs/pictures

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (30s)
	@set -e; for p in $$(go list ./...); do \
		names=$$(go test -list '^Fuzz' $$p); \
		for f in $$(echo "$$names" | grep '^Fuzz'); do \
			echo "== $$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s $$p; \
		done; \
	done

.PHONY: clean
clean: ## remove bin/, dist/ and the programs for the tests
	rm -rf bin dist $(CACHE)

.PHONY: deps
deps: # the system packages that the tests need
	@.ci/deps java hand node chromium

# $(call build-module,PROGRAM,DIRECTORY,PACKAGE) builds a program of a separate module, in place of its other versions.
define build-module
@mkdir -p $(@D)
@rm -f $(@D)/$(1)-*
go -C $(2) build -buildvcs=false -ldflags='-s -w' -o $@.part $(3)
@mv $@.part $@
endef

.PHONY: minio
minio: $(MINIO) # the S3 server for the tests

$(MINIO):
	@echo 'building MinIO for the tests: this takes several minutes, once'
	$(call build-module,minio,testdata/servers,github.com/minio/minio)

.PHONY: azurite
azurite: $(AZURITE) # the emulator of Azure Blob Storage for the tests

$(AZURITE):
	@echo 'installing Azurite for the tests, once'
	@rm -rf $(CACHE)/azurite-*
	@mkdir -p $@.part
	@cp testdata/servers/npm/package.json testdata/servers/npm/package-lock.json $@.part/
	npm ci --prefix $@.part --ignore-scripts --no-audit --no-fund
	@mv $@.part $@

.PHONY: gcs
gcs: $(GCS) # the emulator of Google Cloud Storage for the tests

$(GCS):
	@echo 'building fake-gcs-server for the tests, once'
	$(call build-module,fake-gcs,testdata/servers/gcs,github.com/fsouza/fake-gcs-server)

.PHONY: toxiproxy
toxiproxy: $(TOXIPROXY) # the proxy that disturbs connections to the servers, for the tests

$(TOXIPROXY):
	@echo 'building toxiproxy for the tests, once'
	$(call build-module,toxiproxy,testdata/servers/toxiproxy,github.com/Shopify/toxiproxy/v2/cmd/server)

.PHONY: versitygw
versitygw: $(VERSITYGW) # another S3 server, for make stores

$(VERSITYGW):
	@echo 'building VersityGW for make stores: this takes several minutes, once'
	$(call build-module,versitygw,testdata/servers/versitygw,github.com/versity/versitygw/cmd/versitygw)

.PHONY: seaweedfs
seaweedfs: $(SEAWEEDFS) # another S3 server, for make stores

$(SEAWEEDFS):
	@echo 'building SeaweedFS for make stores: this takes several minutes, once'
	$(call build-module,seaweedfs,testdata/servers/seaweedfs,github.com/seaweedfs/seaweedfs/weed)

.PHONY: rclone
rclone: $(RCLONE) # for the comparison of make bench, and another S3 server for make stores

$(RCLONE):
	@echo 'building rclone for make bench and make stores: this takes several minutes, once'
	$(call build-module,rclone,bench/rclone,github.com/rclone/rclone)

.PHONY: restic
restic: $(RESTIC) # for the comparison of make bench

$(RESTIC):
	@echo 'building restic for make bench: this takes a minute, once'
	$(call build-module,restic,bench/restic,github.com/restic/restic/cmd/restic)

.PHONY: kopia
kopia: $(KOPIA) # for the comparison of make bench

$(KOPIA):
	@echo 'building kopia for make bench: this takes minutes, once'
	$(call build-module,kopia,bench/kopia,github.com/kopia/kopia)

.PHONY: testservers
testservers: # the program that runs a command with the test servers
	@mkdir -p $(@D) $(dir $(TESTSERVERS))
	go -C testdata/servers/testservers build -buildvcs=false -o $(TESTSERVERS) .

$(TOOLS)/gofumpt:
	@rm -rf $(CACHE)/bin/tools-*
	@mkdir -p $(@D)
	go -C testdata/tools build -buildvcs=false -o $(TOOLS)/ tool
	@touch $@
