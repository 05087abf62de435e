"""The command line `hourstream`: the one place that may import every room."""
