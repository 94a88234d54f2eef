# make           the binary, as ./sallyport
# make release   dist/: for each architecture a reproducible archive and its bill of materials; SHA256SUMS
# make stage     only the directory of this machine's architecture: dist/sallyport-VERSION-linux-ARCH/install.sh
# make reproduce builds the release twice, from two directories, and compares every byte
# make e2e       the end-to-end tests; as root, with the tools that .ci/run installs: sudo make e2e
# make soak      holds a gateway's memory after 100,000 connections against what it was; a minute and a half
# make vuln      known vulnerabilities in what is built, where their data can be had
#
# The same commit and the same Go release give the same bytes, on any machine and in any directory.

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
# Whatever this machine's Go is told otherwise would be in the bytes.
export GOFLAGS := -mod=readonly
export GOAMD64 := v1
export GOARM64 := v8.0
export GOFIPS140 := off
unexport GOEXPERIMENT GODEBUG

# Without the toolchain's own stamp, which depends on the clone's tags; the linker is told instead.
BUILD = go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$(VERSION) -X main.revision=$(REVISION)"

name = sallyport-$(VERSION)-linux-$(1)
systemd = $(wildcard deploy/systemd/*)
# What people read, at the places where the pages' links lead.
papers  = README.md ARCHITECTURE.md CHANGELOG.md SECURITY.md bench/README.md configs/reference.toml \
	deploy/gateway.md deploy/sidecar.md deploy/docker.md docs/clients.md docs/dns.md docs/http.md docs/journal.md \
	docs/review-desktop.png docs/review-desktop-dark.png docs/review-phone.png docs/review-phone-dark.png

.PHONY: all stage release reproduce e2e soak vuln fresh clean
.DELETE_ON_ERROR:

all:
	$(BUILD) -o sallyport ./cmd/sallyport

stage: stage-$(HOST)

release: $(ARCHES:%=archive-%)
	cd $(DIST) && sha256sum sallyport-*.tar.gz sallyport-*.cdx.json >SHA256SUMS
	@cat $(DIST)/SHA256SUMS

# Pages and completions come from this machine's own binary, and are the same for each. "-trimpath" only so that all builds
# share what they compiled.
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

# One order, one owner, one time, the modes that an umask does not change, and a compressor that stores no date.
archive-%: stage-%
	chmod -R u=rwX,go=rX $(DIST)/$(call name,$*)
	tar --directory $(DIST) --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) \
		-cf - $(call name,$*) | gzip -9n >$(DIST)/$(call name,$*).tar.gz
	GOARCH=$(HOST) go run -trimpath ./deploy/sbom $(DIST)/$(call name,$*)/sallyport $(VERSION) >$(DIST)/$(call name,$*).cdx.json

# From clones, so that nothing but what is committed goes in.
reproduce:
	deploy/reproduce $(VERSION)

# A test that cannot run here fails and says what it lacks. sudo's path often lacks Go.
e2e: export PATH := $(PATH):/usr/local/go/bin
e2e: export SALLYPORT_E2E := required
e2e:
	@[ "$$(id -u)" = 0 ] || { echo "network namespaces need root: sudo make e2e"; exit 1; }
	env -u GOOS -u CGO_ENABLED go test -count=1 -timeout=30m ./cmd/sallyport/e2e

soak:
	go test -tags soak -count=1 -v -run '^TestMemoryReturns$$' ./cmd/sallyport

# Findings fail; data that cannot be had is said, and is no finding.
vuln:
	deploy/vuln

# What an earlier release left would be in the sums.
fresh:
	rm -rf $(DIST)

clean: fresh
	rm -f sallyport
