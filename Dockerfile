# The daemon and nothing else: no shell, no user but its own, nothing to write
# but its state. Build with: docker build --build-arg VERSION=v1.2.3 -t mooring .
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN make build VERSION=${VERSION}
RUN mkdir -p /root-of-image/tmp /root-of-image/var/lib/mooring \
 && chmod 1777 /root-of-image/tmp \
 && chown 65532:65532 /root-of-image/var/lib/mooring

FROM scratch
COPY --from=build /root-of-image /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/bin/mooring /usr/local/bin/mooring
ENV PATH=/usr/local/bin HOME=/var/lib/mooring MOORING_STATE=/var/lib/mooring
USER 65532:65532
VOLUME /var/lib/mooring
EXPOSE 8420
ENTRYPOINT ["/usr/local/bin/mooring"]
CMD ["run"]
