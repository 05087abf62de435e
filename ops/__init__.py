"""Operations as code: Prometheus, Grafana, containers."""
