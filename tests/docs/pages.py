"""Code as it stands on pages of the documentation."""

import re
import sys
from types import ModuleType

from tests.support.agent import ROOT

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def code_of(page: str) -> ModuleType:
    """The Python of a page, run as a module of its own."""
    blocks = _BLOCK.findall((ROOT / "docs" / page).read_text())
    assert blocks, f"{page} has no code"
    module = ModuleType(f"page_{page.replace('/', '_').removesuffix('.md').replace('-', '_')}")
    sys.modules[module.__name__] = module
    exec(compile("\n\n".join(blocks), page, "exec"), module.__dict__)
    return module
