"""The metric catalogue and the figures of workers and of finance."""
