"""`make map` writes the code map of `bot/README.md`: the first sentence of each module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "bot" / "README.md"
BEGIN, END = "<!-- code map: `make map` writes it -->", "<!-- end of the code map -->"
SAMPLES = ("bot/demo/models_repository", "bot/demo/templates")  # other people's code, as it were


def modules() -> list[str]:
    """Paths of all modules that say something."""
    paths = (path for top in ("bot", "pipelines", "schemas") for path in (CHECKOUT / top).rglob("*.py"))
    said = sorted(path.relative_to(CHECKOUT) for path in paths if path.stat().st_size)
    names = [path.as_posix() for path in sorted(said, key=lambda path: path.parent.as_posix())]
    return [name for name in names if not name.startswith(SAMPLES)]


def code_map() -> str:
    return "\n".join([BEGIN, *_lines(), "", END])


def write() -> None:
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(before + code_map() + rest.partition(END)[2], encoding="utf-8")


def _lines() -> Iterator[str]:
    folder = ""
    for module in modules():
        path = Path(module)
        if path.parent.as_posix() != folder:
            folder = path.parent.as_posix()
            yield f"\n**`{folder}/`**\n"
        address = module.removeprefix("bot/") if module.startswith("bot/") else f"../{module}"
        yield f"- [`{path.name}`]({address}): {_first_sentence(CHECKOUT / module)}"


def _first_sentence(path: Path) -> str:
    docstring = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
    sentence = re.match(r".+?(?:[.!?](?= [A-Z`|]|$)|:(?= \|))", docstring)
    return sentence.group().removesuffix(":") if sentence else docstring or "what `python -m` runs"


if __name__ == "__main__":
    write()
