"""`hourstream topics`: lists and creates the declared topics."""

import click
from rich.table import Table

from cli.context import attached, console, print_json
from operations.all_topics import every_topic
from settings import Settings
from streaming.admin import admin_client
from topics.create import create_topics


@click.group()
def topics() -> None:
    """The topics: their content, owner and retention."""


@topics.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_topics(as_json: bool) -> None:
    """Print every declared topic."""
    declared = every_topic(Settings.load().partitions)
    if as_json:
        print_json(
            [
                {
                    "name": t.name,
                    "key": ":".join(t.key),
                    "partitions": t.partitions,
                    "config": dict(t.config),
                    "owner": t.owner,
                    "data_class": t.data_class,
                    "doc": t.doc,
                }
                for t in declared
            ]
        )
        return
    table = Table("topic", "key", "partitions", "kept", "owner", "data class", "content")
    for t in declared:
        kept = "compacted" if t.config["cleanup.policy"] == "compact" else "for good"
        table.add_row(t.name, ":".join(t.key) or "(row)", str(t.partitions), kept, t.owner, t.data_class, t.doc)
    console.print(table)


@topics.command()
def create() -> None:
    """Create the missing topics; complain about those that exist with other settings."""
    settings = Settings.load()
    with attached(settings) as stack:
        admin = admin_client(stack.broker)
        made = create_topics(admin, every_topic(settings.partitions), settings.replication)
        console.print(f"{len(made)} topics created: {', '.join(made)}" if made else "every topic is there already")
