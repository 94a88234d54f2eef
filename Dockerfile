# Two images: "gateway", sallyport alone (no shell, no other file, not root), and "filter", which loads the packet filter
# of a sidecar and holds the network namespace. deploy/compose/compose.yaml uses both.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -buildid=" -o /out/sallyport ./cmd/sallyport
RUN mkdir -p /root-of-image/var/log/sallyport

FROM debian:trixie-slim AS filter
RUN apt-get update \
 && apt-get install -y --no-install-recommends nftables \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/sallyport /usr/local/bin/sallyport
COPY --chmod=0755 deploy/compose/load-filter /usr/local/bin/load-filter
HEALTHCHECK --interval=2s --timeout=2s --retries=5 CMD ["nft", "list", "table", "inet", "sallyport"]
ENTRYPOINT ["load-filter"]

FROM scratch AS gateway
COPY --from=build /out/sallyport /sallyport
COPY --from=build --chown=65532:65532 /root-of-image/ /
USER 65532:65532
HEALTHCHECK --interval=5s --timeout=5s CMD ["/sallyport", "healthcheck", "--config", "/etc/sallyport/sallyport.toml"]
ENTRYPOINT ["/sallyport"]
CMD ["run", "--config", "/etc/sallyport/sallyport.toml"]
