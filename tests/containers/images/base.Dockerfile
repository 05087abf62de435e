# What every image of these tests stands on. No image can be pulled where they run: the Debian below is made by debootstrap.
ARG DEBIAN
FROM ${DEBIAN}
RUN apt-get update -qq \
    && printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        ca-certificates curl wget python3 python3-venv python-is-python3 openjdk-17-jre-headless \
        postgresql prometheus prometheus-alertmanager > /dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.deb
# The host's certificates, so that a build reaches the package registries as the host does.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
