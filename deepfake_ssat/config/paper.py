"""A table or figure of the paper as a short file: rows of (configuration, changes, the paper's number)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from deepfake_ssat.config.data import Selection
from deepfake_ssat.config.layers import parse_change, read_sections
from deepfake_ssat.errors import ConfigError

PAPER_FOLDER = Path("configs", "paper")
"""Where the tables of the paper lie, below the working folder or the repository."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
"""Of a row or stage: also that of a folder."""
Changes = tuple[str, ...]
"""``section.key=value``, as ``--set`` has them."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("set", mode="after", check_fields=False)
    @classmethod
    def _check_changes(cls, changes: Changes) -> Changes:
        for change in changes:
            parse_change(change)
        return changes


class Stage(_Frozen):
    """One training of a row; it is given the last weights of the stage before it."""

    name: Name
    """Of its run folder; rows that name the same stage with the same settings share its run."""
    config: Path | None = None
    """Relative to the table's file; the table's own unless given."""
    set: Changes = ()
    epochs: Annotated[int, Field(ge=1)] | None = None
    """Out of the table's; all of them unless given."""
    data: dict[str, Path] = {}
    """In place of the row's."""
    common: bool = False
    """The same in all columns, so that it is run once: it has neither their prefix nor their settings."""
    weights_as: Literal["init", "objective.guidance.teacher"] = "init"
    """What the weights of the stage before are given as: where this one starts, or the CNN that guides it."""


class PaperCost(_Frozen):
    """What the paper says that a row took, all its trainings together."""

    gpu_hours: float
    kg_co2: float


class TableRow(_Frozen):
    """One method or setting, and what the paper says of it."""

    name: Name
    title: str
    column: str = ""
    """Such as the data set, where the paper's table has several columns."""
    at: float | None = None
    """Where a point of a figure lies, such as λ."""
    paper: float | None = None
    """Top-1 in percent; None where the paper has no such row, or draws it in a figure alone."""
    paper_gflops: str = ""
    paper_cost: PaperCost | None = None
    """Of rows in several columns, by column as ``paper`` is."""
    perspective: float | None = None
    """Test pictures are seen from other places, as ``evaluate --perspective`` makes them."""
    judged: Selection | None = None
    """Of face clips: the test videos, out of the manifest of the row's data."""
    data: dict[str, Path] = {}
    """In place of the table's."""
    config: Path | None = None
    set: Changes = ()
    stages: tuple[Stage, ...] = ()
    """Several trainings, one after the other; without them, ``config`` and ``set`` are the only one."""

    @model_validator(mode="after")
    def _check_stages(self) -> TableRow:
        if self.stages and (self.config or self.set):
            raise ValueError("config and set are of a row without stages; give them to its stages")
        return self

    @property
    def label(self) -> str:
        """What a reader calls it."""
        return f"{self.column} {self.title}".strip()

    @property
    def trainings(self) -> tuple[Stage, ...]:
        """All that the row trains, the last of which is judged."""
        return self.stages or (Stage(name=self.name, config=self.config, set=self.set),)


class Column(_Frozen):
    """A data set of the paper's table; a row whose ``paper`` names columns is a row of each."""

    prefix: Name
    """Before the names of its rows and of their runs."""
    perspective: Annotated[float, Field(gt=0, le=1)] | None = None
    """Its rows are those of the column with the same prefix, judged on such pictures."""
    judged: Selection | None = None
    data: dict[str, Path] = {}
    config: Path | None = None
    """Of rows and stages that name none."""
    set: Changes = ()
    """After the row's own: what every network needs to know of the data."""

    def row(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """One row as this column has it."""
        stages = values.get("stages") or [
            {key: values[key] for key in ("name", "config", "set") if key in values}
        ]
        own = f"{self.prefix}_{values['name']}" + ("_p" if self.perspective else "")
        return {
            **{key: value for key, value in values.items() if key not in ("config", "set")},
            "name": own,
            "column": name,
            "paper": values["paper"][name],
            "paper_cost": values.get("paper_cost", {}).get(name),
            "perspective": self.perspective,
            "judged": self.judged,
            "data": {**self.data, **values.get("data", {})},
            "stages": [self._stage(stage) for stage in stages],
        }

    def _stage(self, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("common"):
            return values
        return {
            **values,
            "name": f"{self.prefix}_{values['name']}",
            "config": values.get("config", self.config),
            "set": [*values.get("set", ()), *self.set],
        }


class Variant(_Frozen):
    """One way to choose what is reported; departures of other recipes are told from a table's first."""

    about: str
    set: Changes = ()


class PaperTable(_Frozen):
    """What ``reproduce`` runs."""

    title: str
    source: str
    config: Path
    """Of the rows, relative to the table's file."""
    data: dict[str, Path] = {}
    """The keys that say where the data are, and what they are called below --data."""
    epochs: int = Field(ge=1)
    """Of a row in all, its stages together; --epochs shortens every stage in proportion."""
    set: Changes = ()
    """For every training."""
    variants: dict[Name, Variant]
    columns: dict[str, Column] = {}
    rows: tuple[TableRow, ...] = Field(min_length=1)
    at: str = ""
    """What ``at`` of the rows is, for the axis of a figure."""
    departures: tuple[str, ...] = ()
    """What is done otherwise than the paper says, one line each."""

    def data_of(self, row: TableRow) -> dict[str, Path]:
        """The keys of a row that say where its data are, and what they are called below --data."""
        return row.data or self.data

    @property
    def files(self) -> list[Path]:
        """All data, below --data."""
        found = [
            name
            for row in self.rows
            for stage in row.trainings
            for name in (*self.data_of(row).values(), *stage.data.values())
        ]
        return list(dict.fromkeys(found))

    @model_validator(mode="before")
    @classmethod
    def _spread_rows(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Column by column, each with those rows that have a number, or a null, in it."""
        columns = {name: Column.model_validate(its) for name, its in values.get("columns", {}).items()}
        rows = values.get("rows", [])
        whole = [row for row in rows if not isinstance(row.get("paper"), dict)]
        spread = [row for row in rows if isinstance(row.get("paper"), dict)]
        unknown = [
            f"{name} of {row.get('name')}" for row in spread for name in row["paper"] if name not in columns
        ]
        if unknown:
            raise ValueError(f"column {unknown[0]} is not there; columns are {', '.join(columns) or 'none'}")
        made = [its.row(name, row) for name, its in columns.items() for row in spread if name in row["paper"]]
        return {**values, "rows": [*made, *whole]}

    @field_validator("variants", "rows")
    @classmethod
    def _check_names(cls, given: Any, info: ValidationInfo) -> Any:
        if not given:
            raise ValueError("needs one at least")
        names = [row.name for row in given] if info.field_name == "rows" else list(given)
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"{min(twice)} is there twice; every row needs a name of its own")
        return given


def load_paper_table(path: Path) -> PaperTable:
    """Reads a table's file, its paths made relative to the working folder; raises ConfigError in one line."""
    try:
        table = PaperTable.model_validate(read_sections(path))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{path}: {place}: {problem['msg'].removeprefix('Value error, ')}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return table.model_copy(
        update={
            "config": path.parent / table.config,
            "rows": tuple(row.model_copy(update=_below(path.parent, row)) for row in table.rows),
        }
    )


def find_paper_table(name: str) -> Path:
    """The file of a table such as ``table5``, or of a path; raises ConfigError naming what there is."""
    folders = [PAPER_FOLDER, Path(__file__).resolve().parents[2] / PAPER_FOLDER]
    candidates = [Path(name), *(folder / f"{name}.yaml" for folder in folders)]
    for path in candidates:
        if path.is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise ConfigError(
        f"{name}: is no table of {PAPER_FOLDER} (there are: {', '.join(known) or 'none here'}); give one of "
        "them, or a file"
    )


def _below(folder: Path, row: TableRow) -> dict[str, Any]:
    stages = tuple(
        stage.model_copy(update={"config": stage.config and folder / stage.config}) for stage in row.stages
    )
    return {"config": row.config and folder / row.config, "stages": stages}
