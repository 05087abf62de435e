"""Every topic an installation needs: the declared ones and the changelogs of the agents with state of their own."""

from collections.abc import Sequence

from agents.intake import NAME, name_of
from sources.mapping import catalogue as known
from topics.catalogue import Topic, changelog_of, spread_over

ONE_PARTITION_AGENTS, SPREAD_AGENTS = ("masters", "intake"), ("settle", "advisories", "lifecycle", "metrics")


def every_topic(partitions: int) -> Sequence[Topic]:
    """In the order of the catalogue, changelogs last."""
    changelogs = [changelog_of(agent, 1) for agent in ONE_PARTITION_AGENTS]
    changelogs += [changelog_of(name_of(source), 1) for source in known.names() if name_of(source) != NAME]
    changelogs += [changelog_of(agent, partitions) for agent in SPREAD_AGENTS]
    return [*spread_over(partitions).values(), *changelogs]
