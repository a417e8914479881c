# One binary on a base without a shell, as a user without rights, on a root that may be read-only:
#
#   docker build -t cairn .
#   docker run --rm --read-only --cap-drop ALL -v cairn-data:/var/lib/cairn -v ./cairn.toml:/etc/cairn/cairn.toml:ro \
#     -p 4317:4317 -p 4318:4318 -p 4319:4319 cairn
#
# Listening beyond loopback is refused without API keys: docs/howto/use-api-keys.md says how to put them into cairn.toml.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin cairn \
    && install -D target/release/cairn /image/usr/bin/cairn \
    && strip /image/usr/bin/cairn \
    && install -d /image/var/lib/cairn /image/etc/cairn \
    && touch /image/etc/cairn/cairn.toml

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/usr/bin/cairn /usr/bin/cairn
COPY --from=build /image/etc/cairn /etc/cairn
# Owned by the user that runs it; a new named volume takes the owner over.
COPY --from=build --chown=65532:65532 /image/var/lib/cairn /var/lib/cairn
ENV CAIRN_STORAGE__DATA_DIR=/var/lib/cairn \
    CAIRN_LISTEN__GRPC=0.0.0.0:4317 \
    CAIRN_LISTEN__HTTP=0.0.0.0:4318 \
    CAIRN_LISTEN__API=0.0.0.0:4319 \
    CAIRN_LOG__FORMAT=json
USER 65532:65532
EXPOSE 4317 4318 4319
VOLUME /var/lib/cairn
# A shutdown drains requests for 20 s and flushes for 30 s: give it a minute (docker stop --time 60).
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/cairn"]
CMD ["serve", "--config", "/etc/cairn/cairn.toml"]
