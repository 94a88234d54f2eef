# Two images. "gateway", the default: sallyport alone, without shell and not as root, for a read-only root. "filter": loads
# the packet filter of a sidecar. deploy/compose.yaml uses both. Any builder of Docker 20.10 and later will do.
#
#   docker build -t sallyport .
#   docker build -t sallyport --build-arg GO_IMAGE=registry.corp.example/golang:1.26 --build-arg VERSION=1.2.3 .

# Both base images come from a registry. You may replace them by your own, which need no registry. The first needs Go, a
# shell and a CA bundle; the second needs a shell and either nft or apt-get.
ARG GO_IMAGE=golang:1.26
ARG FILTER_IMAGE=debian:trixie-slim

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=0.1.0-dev
ARG REVISION
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${VERSION} -X main.revision=${REVISION}" -o /out/sallyport ./cmd/sallyport
# Beside the binary, the gateway has a CA bundle for preflight, a first configuration, and directories that it may write.
RUN mkdir -p /root-of-image/etc/ssl/certs /root-of-image/etc/sallyport /out/own/var/log/sallyport /out/own/run/sallyport \
 && cp /etc/ssl/certs/ca-certificates.crt /root-of-image/etc/ssl/certs/ \
 && cp deploy/compose/image/sallyport.toml /root-of-image/etc/sallyport/

FROM ${FILTER_IMAGE} AS filter
RUN command -v nft >/dev/null \
 || { apt-get update && apt-get install -y --no-install-recommends nftables && rm -rf /var/lib/apt/lists/*; }
RUN mkdir -p /var/lib/held && chown 65534:65534 /var/lib/held
COPY --from=build /out/sallyport /usr/local/bin/sallyport
COPY deploy/compose/load-filter deploy/compose/hold-namespace /usr/local/bin/
CMD ["load-filter"]

FROM scratch AS gateway
ARG VERSION=0.1.0-dev
ARG REVISION
LABEL org.opencontainers.image.title="sallyport" \
      org.opencontainers.image.description="Egress gateway that lets out what endpoint-security vendors document, and nothing else" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /root-of-image/ /
COPY --from=build --chown=53128:53128 /out/own/ /
COPY --from=build /out/sallyport /sallyport
USER 53128:53128
VOLUME ["/var/log/sallyport"]
EXPOSE 3128 1080 53/udp 53
HEALTHCHECK --interval=3s --timeout=6s --retries=3 CMD ["/sallyport", "healthcheck", "--config", "/etc/sallyport/sallyport.toml"]
ENTRYPOINT ["/sallyport"]
CMD ["run", "--config", "/etc/sallyport/sallyport.toml"]
