"""The dashboard: its variables, its annotations, its rows."""

from __future__ import annotations

import json

from grafana_foundation_sdk.builders.dashboard import (
    CustomVariable,
    Dashboard,
    DatasourceVariable,
    QueryVariable,
    Row,
    TextBoxVariable,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboard import queries as q
from dashboard.panels import SOURCE
from dashboard.rows import rows

ALL = VariableOption(selected=True, text=["All"], value=["$__all"])
WINDOWS = ("1m", "5m", "15m", "1h", "6h")
TEXTS = {
    "Alerts": ("red", 'ALERTS{alertstate="firing",alertname=~"Reward.*"}', "{{alertname}}", "{{reward}}{{instance}}"),
    "New config": (
        "blue",
        q.newly("reward, config, parameters", 'reward_config_info{reward=~"$reward"}'),
        "config {{config}}",
        "{{reward}}?{{parameters}}",
    ),
    "New version": (
        "purple",
        q.newly("version, math_verify, sympy, python", "reward_server_info"),
        "version {{version}}",
        "math-verify {{math_verify}}, SymPy {{sympy}}, Python {{python}}",
    ),
}
"""The annotations: colour, query, title and text. The last two are keys of Prometheus' plugin, which the SDK lacks."""


def written() -> str:
    """The dashboard as Grafana reads it."""
    found = json.loads(JSONEncoder(sort_keys=False).encode(_dashboard().build()))
    for number, panel in enumerate(found["panels"], 1):
        panel["id"] = number
    found["annotations"] = {"list": [_annotation(name) for name in TEXTS]}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _annotation(name: str) -> dict[str, object]:
    color, expression, title, text = TEXTS[name]
    source = {"type": SOURCE.type_val, "uid": SOURCE.uid}
    query = {"name": name, "enable": True, "iconColor": color, "datasource": source, "expr": expression}
    return {**query, "titleFormat": title, "textFormat": text}


def _dashboard() -> Dashboard:
    board = Dashboard("reward-server").uid("reward-server").tags(["reward-server"]).version(2).editable()
    board.description("What trainers are paid, whether it is right, and whether the server keeps up.")
    board.tooltip(DashboardCursorSync.CROSSHAIR).refresh("30s").timezone("browser").time("now-6h", "now")
    for variable in (_source(), _reward(), _config(), _rows(), _window(), _instance(), _view()):
        board.with_variable(variable)
    for title, panels in rows().items():
        board.with_row(Row(title))
        for panel in panels:
            board.with_panel(panel)
    return board


def _source() -> DatasourceVariable:
    chosen = VariableOption(selected=True, text="Prometheus", value="prometheus")
    return DatasourceVariable("datasource").label("Data source").type("prometheus").current(chosen)


def _query(name: str, label: str, expression: str) -> QueryVariable:
    """Several may be chosen; first all are."""
    variable = QueryVariable(name).label(label).datasource(SOURCE).query({"query": expression, "refId": name})
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True).all_value(".*").current(ALL)


def _reward() -> QueryVariable:
    return _query("reward", "Reward", "label_values(reward_samples_total, reward)")


def _config() -> QueryVariable:
    variable = _query("config", "Config", 'label_values(reward_config_info{reward=~"$reward"}, config)')
    return variable.description("What each is stands in the table Configs, and in every reply.")


def _instance() -> QueryVariable:
    return _query("instance", "Server", "label_values(reward_ready, instance)")


def _rows() -> CustomVariable:
    """Training alone at first: evaluation rows are paid without noise, and lift every mean."""
    options = [VariableOption(selected=name == "train", text=name, value=name) for name in ("train", "eval")]
    variable = CustomVariable("rows").label("Rows").values("train,eval").options(options).current(options[0])
    return variable.include_all(True).all_value(".*").description("eval: rows that say flip: false.")


def _window() -> CustomVariable:
    """A `custom` variable, not an `interval`: both are filled in alike, and this one is offered as it stands."""
    options = [VariableOption(selected=name == "5m", text=name, value=name) for name in WINDOWS]
    variable = CustomVariable("window").label("Window").values(",".join(WINDOWS)).options(options).current(options[1])
    return variable.description("Every point is over so long: at least the time between two steps.")


def _view() -> TextBoxVariable:
    """Where a click on an outcome leads: the samples, if the run is recorded."""
    address = "http://127.0.0.1:8100/samples?run=RUN"
    chosen = VariableOption(selected=True, text=address, value=address)
    variable = TextBoxVariable("view").label("Samples at").default_value(address).current(chosen).options([chosen])
    return variable.description(
        "`reward-server view FOLDER`, with the name of the run: a click on an outcome opens it."
    )
