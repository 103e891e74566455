# The image of Tidings: one binary on a base without a shell, run as nobody in particular.
# Built without the embedded Postgres: a container is given DATABASE_URL.
#
#   docker build -t tidings .

FROM rust:1.95-bookworm AS build
# One cache per platform: objects of two architectures must not meet.
ARG TARGETPLATFORM
WORKDIR /build
COPY . .
# The caches outlive a change of any file, so only what changed is compiled; the binary is copied out of them.
RUN --mount=type=cache,id=tidings-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=tidings-target-${TARGETPLATFORM},target=/build/target,sharing=locked \
    cargo build --profile dist --locked --no-default-features --bin tidings \
    && cp target/dist/tidings /tidings

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="Tidings" \
      org.opencontainers.image.description="A self-hosted notification streaming service" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /tidings /tidings
# Numeric, so that an orchestrator can see that it is not root.
USER 65532:65532
ENV TIDINGS_LISTEN=0.0.0.0:8080
EXPOSE 8080
# No HEALTHCHECK: there is no shell to run one. Probe /health/live and /health/ready over HTTP.
ENTRYPOINT ["/tidings"]
CMD ["serve"]
