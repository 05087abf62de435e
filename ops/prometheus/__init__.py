"""What Prometheus and Alertmanager read: recording and alerting rules as code, and their configuration."""
