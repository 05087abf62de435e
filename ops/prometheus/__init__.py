"""Recording and alerting rules of Prometheus and Alertmanager as code, and their configuration."""
