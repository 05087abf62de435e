"""The command line `hourstream`: the top of the import order, with commands only."""
