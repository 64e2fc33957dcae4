# Two images from one file: the hub (default target) and the agent.
#   docker build -t connecthub .                       the hub
#   docker build --target nodeclient -t nodeclient .   the agent

FROM node:20.19-bookworm-slim AS console
WORKDIR /src
COPY frontend/package.json frontend/package-lock.json frontend/
RUN cd frontend && npm ci --no-audit --no-fund
COPY handlers/adminapi/openapi.yaml handlers/adminapi/
COPY frontend frontend
RUN cd frontend && npm run build

FROM golang:1.26-bookworm AS build
ARG VERSION=unversioned
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=console /src/frontend/dist frontend/dist
# The hub needs cgo for SQLite and is linked statically; the agent needs none.
RUN CGO_ENABLED=1 go build -trimpath -tags netgo,osusergo,sqlite_omit_load_extension \
      -ldflags "-s -w -linkmode external -extldflags -static -X main.version=${VERSION}" \
      -o /out/server ./server && \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" \
      -o /out/nodeclient ./nodeclient && \
    mkdir -p /out/data

FROM scratch AS runtime
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/data /tmp
USER 65532:65532

FROM runtime AS nodeclient
COPY --from=build /out/nodeclient /nodeclient
COPY --from=build --chown=65532:65532 /out/data /var/lib/nodeclient
VOLUME /var/lib/nodeclient
EXPOSE 8445
ENTRYPOINT ["/nodeclient"]
CMD ["run", "--dir", "/var/lib/nodeclient"]

FROM runtime AS server
COPY --from=build /out/server /server
COPY --from=build --chown=65532:65532 /out/data /var/lib/connecthub
VOLUME /var/lib/connecthub
EXPOSE 8080 8443
ENTRYPOINT ["/server"]
CMD ["serve", "--data", "/var/lib/connecthub"]
