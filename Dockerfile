# The server as a static binary in an empty image, run by a user that is not root.
# It holds no password and no setting of a deployment: these come from the
# environment (see docker-compose.yml).

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
# The modules first: they change less often than the source.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags '-s -w' -o /out/bin/ ./cmd/... \
 && mkdir /out/data

# One program to ask the server whether it is well; static too.
FROM busybox:1.37-musl AS busybox

FROM scratch
LABEL org.opencontainers.image.title="Corehour" \
      org.opencontainers.image.description="A self-hosted exchange for compute" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=busybox /bin/wget /bin/wget
COPY --from=build /out/bin/ /usr/bin/
# A new volume takes over this folder's owner.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV COREHOUR_LISTEN=0.0.0.0:8080 \
    COREHOUR_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["/usr/bin/corehour"]
CMD ["serve"]
