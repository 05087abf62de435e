# Alertmanager with the paths of the official image.
ARG BASE
FROM ${BASE}
RUN install --directory --owner=nobody /alertmanager /etc/alertmanager
USER nobody
VOLUME /alertmanager
ENTRYPOINT ["/usr/bin/prometheus-alertmanager"]
