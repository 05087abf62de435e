"""The readers and writers of each topic: the one source of consumers' contracts and access rights.

A contract lists the fields that a process reads of a topic's records, nested ones with a dot, or `WHOLE` if it reads
the record whole. The tests compare each list with the reading code. The fields that the intake of a source reads are in
its mapping file, not here: `sources.mapping.fields_read`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from topics import topic_names
from topics.catalogue import (
    ADVISORY_INPUTS,
    LIFECYCLE_INPUTS,
    MASTERS,
    METRICS_INPUTS,
    SETTLE_INPUTS,
    TOPICS,
    TRANSACTIONS,
    changelog_of,
)

WHOLE = ("*",)
DEAD_LETTERS = topic_names.DEAD_LETTERS
SOURCES = tuple(name for name in TOPICS if name.startswith("source."))
READING, FOLLOWING = "hourstream-reading", "hourstream-follow-masters.current"  # names readers go by in any process
Fields = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """A worker, or a person's command line. `owner` is asked before a field or right is removed from it.

    `reads` gives the fields by topic, `passes` topics whose records are not decoded; `keeps` is true with a changelog,
    and so a transaction per partition, `transacts` with transactions but no changelog; `groups` are further consumer
    groups.
    """

    name: str
    owner: str
    what: str
    reads: Mapping[str, Fields]
    writes: Sequence[str]
    passes: Sequence[str] = ()
    keeps: bool = False
    transacts: bool = False
    groups: Sequence[str] = ()

    @property
    def changelog(self) -> str | None:
        """The topic of its state."""
        return changelog_of(self.name, 1).name if self.keeps else None


POSTED_FIELDS = (
    "charge_id",
    "reverses",
    "subject",
    "kind",
    "engagement_id",
    "client_id",
    "legal_entity",
    "work_date",
    "period",
    "worked_minutes",
    "billable_minutes",
    "currency",
    "amount",
    "tax_category",
    "tax_rate",
)
"""What a posting keeps of its charge."""
_BOOKED = (
    "charge_id",
    "reverses",
    "engagement_id",
    "subject",
    "currency",
    "amount",
    "worked_minutes",
    "billable_minutes",
    "tax_category",
    "tax_rate",
    "reason",
    "derivation",
)
_SHOWN = ("billing.exceptions", "billing.ready", "erp.postings", "invoice.status", *SETTLE_INPUTS)
_FOLLOWED = {
    "billing.ready": (
        "charge_id",
        "reverses",
        "engagement_id",
        "subject",
        "client_id",
        "legal_entity",
        "region",
        "period",
        "currency",
        "amount",
        "decided_at",
    ),
    "erp.postings": (
        "posting_id",
        "charge_id",
        "engagement_id",
        "system",
        "status",
        "reference",
        "reason",
        "at",
        "revision",
    ),
    "invoice.status": ("invoice_id", "engagement_id", "charge_ids", "status", "at", "revision"),
}
_LOOKED_AT = {
    "time.entries": ("engagement_id", "entry_id", "minutes", "status", "source", "revision", "occurred_at"),
    "adjustments": ("engagement_id", "subject", "kind"),
    "exception.decisions": ("engagement_id", "subject"),
    "billing.ready": (
        "charge_id",
        "reverses",
        "engagement_id",
        "subject",
        "kind",
        "region",
        "currency",
        "amount",
        "work_date",
        "worked_minutes",
        "billable_minutes",
        "consultant_id",
        "reason",
    ),
    "billing.exceptions": (
        "engagement_id",
        "subject",
        "code",
        "region",
        "minutes",
        "amount_at_stake",
        "status",
        "first_seen",
        "severity",
    ),
    "erp.postings": ("charge_id", "engagement_id", "system", "status"),
    "charge.states": ("charge_id", "engagement_id", "subject", "state", "revision"),
}
INTAKE = Process(
    "intake",
    "delivery",
    "maps records of source systems",
    reads={"master.code-map": WHOLE},
    writes=(*MASTERS, *TRANSACTIONS, "billing.exceptions", DEAD_LETTERS),
    passes=SOURCES,
    keeps=True,
)
PROCESSES = (
    Process(
        "masters",
        "operations",
        "picks the winning revision of every master",
        reads=dict.fromkeys(MASTERS, WHOLE),
        writes=("masters.current", "billing.exceptions", DEAD_LETTERS),
        keeps=True,
    ),
    INTAKE,
    Process(
        "settle",
        "finance",
        "decides every charge",
        reads={**dict.fromkeys(SETTLE_INPUTS, WHOLE), **dict.fromkeys(MASTERS, WHOLE)},
        writes=("billing.ready", "billing.exceptions", DEAD_LETTERS),
        passes=("masters.current",),
        keeps=True,
        groups=(FOLLOWING,),
    ),
    Process(
        "advisories",
        "delivery",
        "warns of overlapping time, days over 24 hours and entries that two sources sent",
        reads=dict.fromkeys(ADVISORY_INPUTS, WHOLE),
        writes=("time.by-consultant", "time.overlaps", "billing.exceptions", "billing.holds"),
        keeps=True,
    ),
    Process(
        "erp",
        "finance",
        "posts charges to the journal",
        reads={"billing.ready": (*POSTED_FIELDS, "region", "decided_at")},
        writes=("erp.postings", DEAD_LETTERS),
    ),
    Process(
        "billing",
        "finance",
        "keeps charges for invoices, and takes in what billing systems say",
        reads={"billing.ready": WHOLE, "source.billing.statuses": WHOLE},
        writes=("invoice.status", "billing.exceptions", DEAD_LETTERS),
    ),
    Process(
        "lifecycle",
        "finance",
        "tells how far each charge has come",
        reads={topic: _FOLLOWED[topic] for topic in LIFECYCLE_INPUTS},
        writes=("charge.states", DEAD_LETTERS),
        keeps=True,
    ),
    Process(
        "metrics",
        "operations",
        "adds up what finance looks at",
        reads={**{topic: _LOOKED_AT[topic] for topic in METRICS_INPUTS}, **dict.fromkeys(MASTERS, WHOLE)},
        writes=(),
        passes=("masters.current",),
        keeps=True,
        groups=("hourstream-follow-masters.current",),
    ),
    Process(
        "delivery",
        "finance",
        "delivers charges to systems outside, and polls the status of their invoices",
        reads={"billing.ready": WHOLE},
        writes=("erp.postings", "billing.exceptions", "source.billing.statuses", DEAD_LETTERS),
        passes=("masters.current",),
        groups=(READING,),
    ),
    Process(
        "warehouse",
        "finance",
        "keeps what the console shows",
        reads=dict.fromkeys(_SHOWN, WHOLE),
        writes=(DEAD_LETTERS,),
        passes=("masters.current",),
        groups=(FOLLOWING,),
    ),
    Process(
        "console",
        "finance",
        "decides and maps codes for a person at a browser",
        reads={"master.code-map": WHOLE},
        writes=("exception.decisions", "master.code-map"),
        groups=(READING,),
    ),
    Process(
        "seal",
        "finance",
        "seals charges, documents, postings and what people did",
        reads={"billing.seals": WHOLE},
        writes=("billing.seals",),
        passes=(
            "billing.ready",
            "exception.decisions",
            "master.code-map",
            "adjustments",
            "source.billing.statuses",
            "erp.postings",
            "invoice.status",
        ),
        transacts=True,
        groups=(READING,),
    ),
    Process(
        "commands",
        "finance",
        "audits, traces, decides and publishes for a person",
        reads={
            "billing.ready": _BOOKED,
            "billing.exceptions": WHOLE,
            "billing.holds": WHOLE,
            "erp.postings": (
                "posting_id",
                "charge_id",
                "engagement_id",
                "system",
                "status",
                "reference",
                "reason",
                "posting_period",
                "revision",
            ),
            "invoice.status": (
                "invoice_id",
                "engagement_id",
                "charge_ids",
                "status",
                "amount",
                "currency",
                "revision",
            ),
            "charge.states": WHOLE,
            "source.control": WHOLE,
            "dead.letters": WHOLE,
            "billing.seals": WHOLE,
            "files.taken": ("sha256", "system", "name", "taken_at"),
            "source.tock.timecards": ("id", "user"),  # whose a timecard's lines are, to erase them
            **dict.fromkeys((*MASTERS, *SETTLE_INPUTS), WHOLE),
        },
        writes=(*MASTERS, *TRANSACTIONS, *SOURCES, DEAD_LETTERS, "files.taken"),
        passes=("masters.current", *SOURCES),
        transacts=True,
        groups=(READING,),
    ),
)
