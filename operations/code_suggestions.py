"""Names of our own records, to compare a code of another system with."""

from collections import defaultdict
from typing import Any

from privacy.decrypt import Reading, readable
from sources.similarity import Suggestion, suggestions
from streaming.topic_reader import read_all
from topics import topic_names
from topics.records import current_masters

CURRENT = topic_names.MASTERS_CURRENT
_TOPICS = {
    "client": (topic_names.MASTER_CLIENTS,),
    "consultant": (topic_names.MASTER_CONSULTANTS,),
    "engagement": (topic_names.MASTER_ENGAGEMENTS, topic_names.MASTER_CLIENTS),
    "task": (topic_names.MASTER_TASKS, topic_names.MASTER_ENGAGEMENTS, topic_names.MASTER_CLIENTS),
    "labor_category": (topic_names.MASTER_RATE_CARDS, topic_names.MASTER_CONSULTANTS),
}


class RecordNames:
    """The names of every master that a code can mean, persons' opened by the vault."""

    def __init__(self, broker: str, look: Reading | None = None) -> None:
        self._look = look
        self._masters: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        wanted = {topic for topics in _TOPICS.values() for topic in topics}
        for _, topic, record_id, value in current_masters(read_all(broker, [CURRENT])):
            if topic in wanted:
                self._masters[topic][record_id] = value

    def suggestions(self, key: str) -> list[Suggestion]:
        """Suggestions for a code (SYSTEM:KIND:CODE), best first; none for a kind without names."""
        _, kind, code = key.split(":", 2)
        return suggestions(self._readable(code), self._labels(kind))

    def _readable(self, text: str) -> str:
        return readable(self._look, text)

    def _labels(self, kind: str) -> dict[str, list[str]]:
        match kind:
            case "client" | "consultant":
                (topic,) = _TOPICS[kind]
                return {
                    record_id: [record_id, self._readable(record["name"])]
                    for record_id, record in self._masters[topic].items()
                }
            case "engagement":
                return {
                    record_id: [record_id, record["name"], f"{self._client_of(record)} / {record['name']}"]
                    for record_id, record in self._masters[topic_names.MASTER_ENGAGEMENTS].items()
                }
            case "task":
                return {
                    record_id: [record_id, record["code"], record["name"], *self._long_names(record)]
                    for record_id, record in self._masters[topic_names.MASTER_TASKS].items()
                }
            case "labor_category":
                lines = (
                    line for card in self._masters[topic_names.MASTER_RATE_CARDS].values() for line in card["lines"]
                )
                grades = (
                    grade
                    for person in self._masters[topic_names.MASTER_CONSULTANTS].values()
                    for grade in person["grades"]
                )
                found = {str(each["labor_category"]) for each in (*lines, *grades) if each["labor_category"]}
                return {category: [category] for category in found}
        return {}

    def _client_of(self, engagement: dict[str, Any]) -> str:
        client = self._masters[topic_names.MASTER_CLIENTS].get(engagement["client_id"])
        return str(engagement["client_id"] if client is None else client["name"])

    def _long_names(self, task: dict[str, Any]) -> list[str]:
        engagement = self._masters[topic_names.MASTER_ENGAGEMENTS].get(task["engagement_id"])
        if engagement is None:
            return []
        name = f"{engagement['name']} / {task['name']}"
        return [name, f"{self._client_of(engagement)} / {name}"]
