"""One statement or request that is sent to hurt, and what its sender may know."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One request to `/api/v1/sql`."""

    category: str
    kind: str
    sql: str
    # Fields beside `sql` in the JSON of the request; with `raw` the body as it is.
    fields: dict = field(default_factory=dict, hash=False)
    raw: bytes | None = None
    headers: dict = field(default_factory=dict, hash=False)

    @property
    def identity(self):
        return (self.sql, repr(self.fields), self.raw, repr(self.headers))


@dataclass(frozen=True)
class World:
    """What an attacker may have learned of the place: paths, the other tenant's name, ports."""

    data_dir: str
    secret: str
    secret_csv: str
    secret_parquet: str
    segment: str
    other: str
    http_port: int
