# Apicurio Registry with the environment and the health check of the official image.
ARG BASE
FROM ${BASE}
COPY registry /opt/registry
USER 1001:0
WORKDIR /tmp
CMD ["sh", "-c", "exec java -Xmx384m -XX:TieredStopAtLevel=1 -Dquarkus.http.host=0.0.0.0 -jar /opt/registry/*-runner.jar"]
