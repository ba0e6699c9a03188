"""How a filter becomes SQL: conditions, joins with labels, and the cursor that a page walks along."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Filter(Protocol):
    """What a selection asks of every filter; its other fields are those that the conditions name."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels that must match."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """A table, its key, its table of labels, and what each field of its filter means when it is set."""

    table: str
    key: str
    labels: str
    conditions: tuple[tuple[str, str], ...]

    def of(self, chosen: Filter, before: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Returns the parameters of a page and what fills its places: `joins`, `conditions`, `cursor`.

        Keys sort by the time they were made, so the cursor is a key: the table's, or a label's where one is
        asked for, which lets the database walk the label's index backwards.
        """
        fields = {name: getattr(chosen, name) for name, _ in self.conditions}
        parameters = {name: value for name, value in fields.items() if value}
        conditions = [condition for name, condition in self.conditions if name in parameters]
        cursor = f"label0.{self.key}" if chosen.labels else f"{self.table}.{self.key}"
        if before:
            parameters["before"] = before
            conditions.append(f"{cursor} < :before")
        joins = []
        for number, (key, value) in enumerate(chosen.labels.items()):
            joins.append(self._join(number))
            parameters |= {f"key{number}": key, f"value{number}": value}
        parts = {
            "joins": " ".join(joins),
            "conditions": " AND ".join(conditions) or "1 = 1",
            "cursor": cursor,
        }
        return parameters, parts

    def _join(self, number: int) -> str:
        label = f"label{number}"
        return (
            f"JOIN {self.labels} AS {label} ON {label}.{self.key} = {self.table}.{self.key}"
            f" AND {label}.key = :key{number} AND {label}.value = :value{number}"
        )
