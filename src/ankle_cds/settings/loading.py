"""Reads the settings: one YAML file, the environment and the command line, refused with file and line."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError

from ankle_cds.errors import ContentError
from ankle_cds.fhir import Document, read_yaml
from ankle_cds.settings.site import Settings, together

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "ANKLE_CDS_"
_DEVELOPMENT_SECRET = SecretStr("known to anybody: for development only")


def load(path: Path | None = None, *, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Read the configuration file, then the environment (`ANKLE_CDS_PORT`), then `given` (the command line).

    Later ones win. Without a file, defaults hold. Raises ContentError listing every bad value with file and line, or
    with the name of the environment variable.
    """
    environment = os.environ if environment is None else environment
    document = read_yaml(path, empty_lists=True) if path is not None else None
    values: dict[str, Any] = dict(document.data) if document is not None else {}
    wheres = {name: document.where(name) for name in values} if document is not None else {}
    for name, text in environment.items():
        if name.startswith(_PREFIX) and name != f"{_PREFIX}CONFIG":
            setting = name.removeprefix(_PREFIX).lower()
            values[setting] = _from_text(text, setting)
            wheres[setting] = f"environment variable {name}"
    values |= {name: value for name, value in given.items() if value is not None}
    if values.get("mode") == "development":
        values.setdefault("secret", None if "secret_file" in values else _DEVELOPMENT_SECRET)
    try:
        settings = Settings.model_validate(_python(values))
    except ValidationError as error:
        raise _refusal(error, document, wheres) from None
    if document is not None:
        settings.remember(document, {name: where for name, where in wheres.items() if where.startswith("environment")})
    return settings


def _from_text(text: str, setting: str) -> Any:
    """Read an environment value: whole numbers, decimals and booleans where the setting is one, lists by comma."""
    info = Settings.model_fields.get(setting)
    kind = str(info.annotation).lower() if info is not None else ""
    if "tuple" in kind:
        return [{"url": part} if setting == "fhir_servers" else part for part in text.split(",") if part]
    if re.fullmatch(r"[0-9]+", text) and "str" not in kind:
        return int(text)
    if re.fullmatch(r"[0-9]+\.[0-9]+", text) and "float" in kind:
        return float(text)
    return text


def _python(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give strict validation the Python types that JSON has no words for; parameters are left to the logic."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found[name] = value if name == "parameters" else _strict(value)
        if name in {"ca_file", "secret_file"} and isinstance(value, str):
            found[name] = Path(value)
    return found


def _strict(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (list, tuple)):
        return tuple(_strict(item) for item in value)
    if isinstance(value, dict):
        return {name: _strict(item) for name, item in value.items()}
    return value


def _refusal(error: ValidationError, document: Document | None, wheres: Mapping[str, str]) -> ContentError:
    refused = []
    for item in error.errors(include_url=False, include_input=False):
        steps = [step for step in item["loc"] if isinstance(step, int) or re.fullmatch(r"[A-Za-z_]+", step)]
        name = str(steps[0]) if steps else ""
        where = wheres.get(name, "the command line")
        if document is not None and where.startswith(str(document.path)):
            where = document.where(*steps)
        if item["type"] == "extra_forbidden":
            text = f"{'.'.join(map(str, steps))} is not a setting; use one of {', '.join(Settings.model_fields)}."
        else:
            text = f"{'.'.join(map(str, steps))}: {item['msg'].removeprefix('Value error, ')}."
        refused.append(ContentError(text, where=where))
    return together(refused)
