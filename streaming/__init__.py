"""The batch data plane: whole fetched batches of one partition as one Faust event, committed exactly once.

Faust keeps what it is good at (agents, group membership, sticky assignment, worker life cycle). Fetching, state,
recovery and commits are here, because Faust's own lose and double records (docs/adr/0001-batches-under-faust.md).

    reader -> Batch -> agent -> committer.process: decide in memory -> ONE commit of outputs, state and position
"""
