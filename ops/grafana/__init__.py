"""Grafana's dashboards as code: `python -m ops.grafana` writes *.json here, which docker-compose.yml provisions."""
