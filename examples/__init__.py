"""What shows the product to a newcomer and is no part of it: `hourstream demo`."""
