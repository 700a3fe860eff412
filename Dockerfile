# Needs BuildKit, which Docker has been using since release 23 (before that: DOCKER_BUILDKIT=1).

# The builder is pinned to an exact release. To pin its content too, append the digest that
# `docker buildx imagetools inspect golang:1.26.8` prints: golang:1.26.8@sha256:…
# Any image with Go, a shell and /etc/ssl/certs/ca-certificates.crt works: --build-arg GO_IMAGE=registry.example/golang
ARG GO_IMAGE=golang:1.26.8

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
# The module proxy; empty means Go's default.
ARG GOPROXY
RUN --mount=type=cache,target=/go/pkg/mod go mod download && go mod verify
COPY . .
# Static, without paths, build ids or version control stamps: the same sources produce the same bytes. VERSION is what
# `support version` prints.
ARG TARGETOS TARGETARCH VERSION
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags="-s -w -buildid= -X main.release=${VERSION:-unreleased}" -o /out/ ./cmd/...

# Only the binary and the CA certificates: no shell, no package manager, no writable files.
FROM scratch AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532

# The Groq simulator: docker build --target groqsim
FROM base AS groqsim
COPY --from=build /out/groqsim /groqsim
EXPOSE 8091
ENTRYPOINT ["/groqsim"]
CMD ["-addr", ":8091"]

FROM base AS support
ARG VERSION
LABEL org.opencontainers.image.title="support" \
      org.opencontainers.image.version="${VERSION:-unreleased}" \
      org.opencontainers.image.description="A support desk to embed: tickets, messages and streamed AI answers" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/support /support
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/support", "healthcheck"]
ENTRYPOINT ["/support"]
CMD ["serve"]
