# "make help" lists the targets. The same commit and the same Go release give the same bytes, on any machine and in any
# directory.

VERSION  ?= $(patsubst v%,%,$(shell git describe --tags --always --dirty))
REVISION ?= $(shell git rev-parse --short=12 HEAD)$(shell git diff --quiet HEAD || echo -dirty)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
ARCHES   ?= amd64 arm64
DIST     ?= dist
HOST     := $(shell go env GOHOSTARCH)

export SOURCE_DATE_EPOCH
export LC_ALL := C
export CGO_ENABLED := 0
export GOOS := linux
# Without these lines this machine's settings of Go would change the bytes.
export GOFLAGS := -mod=readonly
export GOAMD64 := v1
export GOARM64 := v8.0
export GOFIPS140 := off
unexport GOEXPERIMENT GODEBUG

# Go's own version stamp depends on the clone's tags. The linker sets the version instead.
BUILD = go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$(VERSION) -X main.revision=$(REVISION)"

name = sallyport-$(VERSION)-linux-$(1)
systemd = $(wildcard deploy/systemd/*)
# The pages for people, at the paths that their links name.
papers  = README.md ARCHITECTURE.md CHANGELOG.md SECURITY.md bench/README.md bench/growth.svg configs/reference.toml \
	deploy/gateway.md deploy/sidecar.md deploy/docker.md docs/README.md docs/attacks.md docs/balancers.md docs/catalogue.md docs/example-backup-3.html docs/example-backup-4.html docs/clients.md docs/configuration.md docs/connections.md docs/datagrams.md \
	docs/dns.md docs/faq.md docs/http.md docs/identity.md docs/journal.md docs/metrics.md docs/operations.md docs/parent.md docs/profile-format.md docs/profiles.md docs/reasons.md docs/siem.md docs/synthetic.md \
	docs/review.md docs/troubleshooting.md \
	docs/review-desktop.png docs/review-desktop-dark.png docs/review-phone.png docs/review-phone-dark.png

# Tests run as they would without make: for this machine, with cgo where the race detector needs it.
TEST = env -u GOOS -u CGO_ENABLED go test
# Every package but the end-to-end tests, which need root. make finds the fuzz targets and the race tests by itself.
PACKAGES = $(shell go list ./... | grep -v /e2e)
FUZZTIME ?= 20000x

.PHONY: all help check test e2e lint vet fuzz race soak scale docs stage release reproduce vuln fresh clean
.DELETE_ON_ERROR:

all: ## the binary, as ./sallyport
	$(BUILD) -o sallyport ./cmd/sallyport

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: vet ## before each commit: format, vet, staticcheck, fast tests; no root, no network; 90 seconds with a warm cache
	@if GOPROXY=off go tool -n staticcheck >/dev/null 2>&1; then go tool staticcheck ./...; \
	else echo "make check: staticcheck is not in the module cache (go mod download): left out"; fi
	$(TEST) -short $(PACKAGES)

test: ## all tests that an ordinary user can run; the last lines say how many need root
	$(TEST) ./...

lint: vet ## make vet, and staticcheck in the version of go.mod
	go tool staticcheck ./...

vet: ## gofmt, and go vet with every build tag
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt would change: $$unformatted"; exit 1; }
	go vet ./...
	go vet -tags manual,soak ./...

race: ## fast tests under the race detector
	$(TEST) -race -short $(PACKAGES)

# A count and not a time: at the end of a time the fuzzing engine sometimes reports its own deadline as a failure.
fuzz: ## every fuzz target, 20,000 inputs each; FUZZTIME=10s for a time instead
	@set -e; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	for package in $(PACKAGES); do \
		for target in $$($(TEST) -list '^Fuzz' "$$package" | grep '^Fuzz'); do \
			$(TEST) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$package" >"$$log" 2>&1 || { cat "$$log"; exit 1; }; \
			echo "$$target: $$(tail -n 1 "$$log")"; \
		done; \
	done

docs: ## writes the tables of sallyport help reasons, journal, metrics and profile into docs/, the list of files into ARCHITECTURE.md
	$(TEST) ./cmd/sallyport/topics -run '^TestPagesContainTheTables$$' -update
	UPDATE_GOLDEN=1 $(TEST) ./cmd/sallyport -run '^TestEveryFileIsListed$$'

stage: stage-$(HOST) ## dist/: the unpacked release of this machine's architecture, with install.sh

release: $(ARCHES:%=archive-%) ## dist/: for each architecture a reproducible archive and its bill of materials; SHA256SUMS
	cd $(DIST) && sha256sum sallyport-*.tar.gz sallyport-*.cdx.json >SHA256SUMS
	@cat $(DIST)/SHA256SUMS

# This machine's own binary writes the man pages and completions; they are the same for every architecture. "-trimpath" lets
# all builds share one cache.
$(DIST)/manual: fresh
	GOARCH=$(HOST) GOFLAGS="$(GOFLAGS) -tags=manual" go run -trimpath -ldflags "-X main.version=$(VERSION)" ./cmd/sallyport manual $@

stage-%: $(DIST)/manual
	$(eval dir := $(DIST)/$(call name,$*))
	rm -rf $(dir) && mkdir -p $(dir)/systemd
	GOARCH=$* $(BUILD) -o $(dir)/sallyport ./cmd/sallyport
	cp deploy/install.sh deploy/gateway.toml deploy/sidecar.toml $(dir)/
	cp --parents $(papers) $(dir)/
	cp $(systemd) $(dir)/systemd/
	cp -R $(DIST)/manual/man $(DIST)/manual/completions $(dir)/

# Fixed order, owner, time and modes, and a compressor that stores no date.
archive-%: stage-%
	chmod -R u=rwX,go=rX $(DIST)/$(call name,$*)
	tar --directory $(DIST) --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) \
		-cf - $(call name,$*) | gzip -9n >$(DIST)/$(call name,$*).tar.gz
	GOARCH=$(HOST) go run -trimpath ./deploy/sbom $(DIST)/$(call name,$*)/sallyport $(VERSION) >$(DIST)/$(call name,$*).cdx.json

# From clones, so that only committed files go in.
reproduce: ## the release twice, from two directories; compares every byte
	deploy/reproduce $(VERSION)

# A test that cannot run here fails and names what is missing. The PATH of sudo often lacks Go.
e2e: export PATH := $(PATH):/usr/local/go/bin
e2e: export SALLYPORT_E2E := required
e2e: ## the end-to-end tests, as root, with the tools that .ci/run installs: sudo make e2e
	@[ "$$(id -u)" = 0 ] || { echo "network namespaces need root: sudo make e2e"; exit 1; }
	$(TEST) -count=1 -timeout=30m ./cmd/sallyport/e2e

scale: ## check of 1,000,000 names and of 10,000 clients, and decisions among 1,000,000 names; two minutes
	$(TEST) -count=1 -run '^$$' -bench '^BenchmarkLoad$$' -benchtime 1x ./rules
	cd bench && go test -run '^$$' -bench 'Matcher/n=1000000' -benchtime 200ms . && go build -o /tmp/sallyport-reload ./reload
	go build -trimpath -o /tmp/sallyport-scale ./cmd/sallyport
	/tmp/sallyport-reload -sallyport /tmp/sallyport-scale

soak: ## memory after 100,000 connections is what it was before; a minute and a half
	$(TEST) -tags soak -count=1 -v -run '^TestMemoryReturns$$' ./cmd/sallyport/gateway

# The target fails on a finding. If it has no vulnerability data, it prints that and succeeds.
vuln: ## known vulnerabilities in what is built
	deploy/vuln

# Files of an earlier release would be in SHA256SUMS.
fresh:
	rm -rf $(DIST)

clean: fresh ## removes what make built
	rm -f sallyport
