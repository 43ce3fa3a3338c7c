# strongroom in an image of its own: one static binary, certificates and nothing else.
#
#   docker build -t strongroom --build-arg VERSION="$(git describe --tags --always)" .
#   docker run --rm --read-only strongroom version
#
# It runs as user 65532 and works with a read-only root. It writes only to the state
# directory, to the target of a restore, and to /tmp. The state directory has the scratch
# files of log files over 32 MiB that are compressed or encrypted; /tmp has what
# "strongroom cat" and drills write. Mount a volume at each that you need.
#
# There is no HEALTHCHECK: the service ends when it cannot go on, and a destination that is
# away for a while is no reason to start it again.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -tags disable_grpc_modules -trimpath -buildvcs=false -ldflags="-s -w -X main.version=${VERSION}" -o /out/usr/bin/strongroom ./cmd/strongroom
RUN install -d -m 1777 /out/tmp \
 && install -d -m 0700 -o 65532 -g 65532 /out/var/lib/strongroom \
 && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
 && install -D -m 0644 LICENSE /out/usr/share/doc/strongroom/LICENSE

FROM scratch
COPY --from=build /out/ /
USER 65532:65532
ENV STRONGROOM_STATE_DIR=/var/lib/strongroom
VOLUME /var/lib/strongroom
ENTRYPOINT ["/usr/bin/strongroom"]
CMD ["run"]
