"""What runs beside Hourstream: Prometheus, Grafana, containers."""
