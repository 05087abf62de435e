# Prometheus with the paths of the official image.
ARG BASE
FROM ${BASE}
RUN install --directory --owner=nobody /prometheus /etc/prometheus
USER nobody
VOLUME /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
