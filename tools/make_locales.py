"""Write locales/*/nodeDefs.json from the schemas: `python3 tools/bootstrap.py -- python -m tools.make_locales`.

English repeats the schemas word for word, with blanks for underscores in names. A translation keeps what it has for
texts that are as they were; new and changed ones stand in it in English, for a translator to find.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .pack import ROOT
from .server import ComfyServer

FOLDER, ENGLISH, NAME = ROOT / "locales", "en", "nodeDefs.json"


def node_text(schema: dict[str, Any]) -> dict[str, Any]:
    """The texts of one node of /object_info in the frontend's nodeDefs form."""
    inputs = {}
    for kind in ("required", "optional"):
        for name in schema["input_order"].get(kind, []):
            spec = schema["input"][kind][name]
            inputs[name] = {
                "name": name.replace("_", " "),
                "tooltip": spec[1].get("tooltip", "") if len(spec) > 1 else "",
            }
    tooltips = schema.get("output_tooltips") or [""] * len(schema["output_name"])
    outputs = {
        str(i): {"name": name, "tooltip": tip or ""}
        for i, (name, tip) in enumerate(zip(schema["output_name"], tooltips, strict=True))
    }
    return {
        "display_name": schema["display_name"],
        "description": schema["description"],
        "inputs": inputs,
        "outputs": outputs,
    }


def as_json(texts: dict[str, Any]) -> str:
    """JSON with one line an input or output, so that a changed tooltip is a changed line."""
    spread = json.dumps(texts, indent=1, ensure_ascii=False)
    return re.sub(r'\{\s+("name": .*)\s+("tooltip": .*)\s+\}', r"{\1 \2}", spread) + "\n"


def carried(now: Any, before: Any, translated: Any) -> Any:
    """English texts of `now` in another language, as far as `translated` has them and they were the same `before`."""
    if isinstance(now, dict):
        old, other = (each if isinstance(each, dict) else {} for each in (before, translated))
        return {key: carried(text, old.get(key), other.get(key)) for key, text in now.items()}
    return translated if isinstance(translated, str) and before == now else now


def read(language: str) -> dict[str, Any]:
    """The node texts of a language as they lie there."""
    path = FOLDER / language / NAME
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def main() -> None:
    """Write the files of all languages."""
    with ComfyServer() as server:
        object_info = server.client.object_info()
    texts = {name: node_text(schema) for name, schema in sorted(object_info.items()) if name.startswith("HRV")}
    before = read(ENGLISH)
    for language in sorted(path.name for path in FOLDER.iterdir()):
        own = texts if language == ENGLISH else carried(texts, before, read(language))
        (FOLDER / language / NAME).write_text(as_json(own), encoding="utf-8")


if __name__ == "__main__":
    main()
