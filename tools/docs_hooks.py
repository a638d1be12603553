"""Hooks of the documentation site: pages that stand elsewhere in the repository are part of it too."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ELSEWHERE = {"model-card.md": "models/default/MODEL_CARD.md", "changelog.md": "CHANGELOG.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them, under names of their own."""
    repository = Path(config.config_file_path).parent
    for name, path in _ELSEWHERE.items():
        files.append(File.generated(config, name, content=(repository / path).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that are right in the repository, made right on the site."""
    for name, path in _ELSEWHERE.items():
        up = "../" * (page.file.src_uri.count("/") + 1)
        markdown = markdown.replace(f"({up}{path})", f"({'../' * page.file.src_uri.count('/')}{name})")
    return markdown
