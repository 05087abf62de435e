"""How Hourstream runs: settings, the embedded stack, the exactly-once batch plane under Faust, and the command line."""
