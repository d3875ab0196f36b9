# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake g++ libprotobuf-dev make pkg-config protobuf-compiler \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# With `--build-arg FEATURES=etcd` the store may lie on an etcd.
ARG FEATURES=""
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --features "$FEATURES" --bin portcullis \
    && install -D --strip target/release/portcullis /out/portcullis

FROM debian:bookworm-slim
# A fixed number, so that a volume's owner is the same on every host.
RUN groupadd --system --gid 65010 portcullis \
    && useradd --system --uid 65010 --gid portcullis --no-create-home --shell /usr/sbin/nologin portcullis \
    && install --directory --owner portcullis --group portcullis --mode 0700 \
        /var/lib/portcullis /var/lib/portcullis-keys
COPY --from=build /out/portcullis /usr/local/bin/portcullis
COPY deploy/healthcheck /usr/local/bin/portcullis-healthcheck
USER portcullis
# Two volumes: a copy of the store is worth nothing to a thief without the key beside it.
VOLUME ["/var/lib/portcullis", "/var/lib/portcullis-keys"]
EXPOSE 8080 8443
# Ready means that the store takes writes. A gateway that is not ready refuses what it should.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["portcullis-healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["portcullis"]
CMD ["serve", "--config", "/etc/portcullis/portcullis.yaml"]
