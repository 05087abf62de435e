# Kafka with the environment of the official image: KAFKA_X_Y becomes x.y in server.properties.
ARG BASE
FROM ${BASE}
RUN useradd --system --uid 1000 --no-create-home appuser \
    && install --directory --owner=appuser /var/lib/kafka/data /opt/kafka/config
COPY libs /opt/kafka/libs
COPY kafka.sh kafka-broker-api-versions.sh /opt/kafka/bin/
RUN chmod 755 /opt/kafka/bin/*.sh
USER appuser
VOLUME /var/lib/kafka/data
CMD ["/opt/kafka/bin/kafka.sh"]
