"""Derives the rights of each process on the bus from its declared inputs and outputs, and grants exactly those.

Every process has its own principal. Only an administrator may make topics, grant rights and remove records.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from topics.consumers import Process

_PATIENCE_SECONDS = 30.0
READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS = (
    AclOperation.READ,
    AclOperation.WRITE,
    AclOperation.DESCRIBE,
    AclOperation.DESCRIBE_CONFIGS,
)


class KafkaRight(NamedTuple):
    """One right of one principal; `prefix`: on everything whose name begins with `name`."""

    principal: str
    kind: ResourceType
    name: str
    prefix: bool
    operation: AclOperation

    def __str__(self) -> str:
        star = "*" if self.prefix else ""
        return f"{self.principal} {self.operation.name} {self.kind.name} {self.name}{star}"

    def binding(self) -> AclBinding:
        """As Kafka's administration takes it: allowed, from any host."""
        pattern = ResourcePatternType.PREFIXED if self.prefix else ResourcePatternType.LITERAL
        return AclBinding(self.kind, self.name, pattern, self.principal, "*", self.operation, AclPermissionType.ALLOW)


def principal_of(process: Process, form: str) -> str:
    """The principal of a process by a form such as `User:hourstream-{process}`."""
    return form.format(process=process.name)


def rights(processes: Iterable[Process], form: str) -> list[KafkaRight]:
    """Everything the processes need, and nothing else."""
    return sorted({right for process in processes for right in _of(process, principal_of(process, form))})


def _of(process: Process, principal: str) -> Iterator[KafkaRight]:
    own = f"hourstream-{process.name}"
    for topic in (*process.reads, *process.passes):
        yield from _on(ResourceType.TOPIC, principal, topic, READ, DESCRIBE)
    for topic in process.writes:
        yield from _on(ResourceType.TOPIC, principal, topic, WRITE, DESCRIBE)
    if process.changelog is not None:
        yield from _on(ResourceType.TOPIC, principal, process.changelog, READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS)
    if process.keeps or process.transacts:
        yield from _on(ResourceType.TRANSACTIONAL_ID, principal, f"{own}-", WRITE, DESCRIBE, prefix=True)
    # librdkafka asks for the coordinator even of a group that its reader names and never joins.
    for group in (own, *process.groups):
        yield from _on(ResourceType.GROUP, principal, group, READ, DESCRIBE)
    yield from _on(ResourceType.GROUP, principal, f"{own}-", READ, DESCRIBE, prefix=True)


def _on(
    kind: ResourceType, principal: str, name: str, *operations: AclOperation, prefix: bool = False
) -> Iterator[KafkaRight]:
    for operation in operations:
        yield KafkaRight(principal, kind, name, prefix, operation)


class AclChange(NamedTuple):
    """What giving rights did, or would do."""

    given: Sequence[KafkaRight]
    taken: Sequence[KafkaRight]


def apply(admin: AdminClient, wanted: Sequence[KafkaRight], *, only_look: bool = False) -> AclChange:
    """Give the principals of `wanted` exactly these rights: missing ones are given, others of theirs are taken.

    Rights of other principals stay. KafkaException where the cluster refuses (or has no authorizer).
    """
    standing = {right for principal in {right.principal for right in wanted} for right in _standing(admin, principal)}
    change = AclChange(sorted(set(wanted) - standing), sorted(standing - set(wanted)))
    if only_look:
        return change
    if change.given:
        _await(admin.create_acls([right.binding() for right in change.given], request_timeout=_PATIENCE_SECONDS))
    if change.taken:
        filters = [_exactly(right) for right in change.taken]
        _await(admin.delete_acls(filters, request_timeout=_PATIENCE_SECONDS))
    return change


def _standing(admin: AdminClient, principal: str) -> Iterator[KafkaRight]:
    asked = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, principal, None, AclOperation.ANY, AclPermissionType.ALLOW
    )
    found: Future[list[AclBinding]] = admin.describe_acls(asked, request_timeout=_PATIENCE_SECONDS)
    for acl in found.result(_PATIENCE_SECONDS):
        prefix = acl.resource_pattern_type == ResourcePatternType.PREFIXED
        yield KafkaRight(acl.principal, acl.restype, acl.name, prefix, acl.operation)


def _exactly(right: KafkaRight) -> AclBindingFilter:
    binding = right.binding()
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        None,
        binding.operation,
        AclPermissionType.ALLOW,
    )


def _await(answers: dict[object, Future[object]]) -> None:
    refused = []
    for answer in answers.values():
        try:
            answer.result(_PATIENCE_SECONDS)
        except KafkaException as error:
            refused.append(error)
    if refused:
        raise refused[0]
