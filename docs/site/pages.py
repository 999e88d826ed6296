"""A hook of MkDocs: pages of the site that are files of the clone's root, or a notebook, and links to them.

A clone shows the same files without a site, so their links are those of the clone; here they are turned.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    'index.md': 'README.md',
    'checkpoints.md': 'checkpoints/README.md',
    'data_folder.md': 'data/README.md',
    'contributing.md': 'CONTRIBUTING.md',
    'changelog.md': 'CHANGELOG.md',
    'notebook.md': 'examples/mini_set.ipynb',
}
"""Pages of the site that lie elsewhere in a clone."""
FILES = {'tour.ipynb': 'examples/tour.ipynb'}
"""Files of the site that lie elsewhere in a clone, and that pages give to their readers."""
_LINK = re.compile(r'(\]\(|src="|href=")(?!\w+:|#|/)([^)"#\s]+)')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    for page, source in PAGES.items():
        text = (ROOT / source).read_text(encoding='utf-8')
        if source.endswith('.ipynb'):
            name = Path(source).name
            files.append(File.generated(config, name, content=text))
            text = f'{_notebook_text(text)}\n\n[The notebook to run]({name}).\n'
        files.append(File.generated(config, page, content=text))
    for name, source in FILES.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding='utf-8')))
    return files


def _notebook_text(notebook: str) -> str:
    """Returns the cells of a notebook as Markdown."""
    cells = ((cell['cell_type'], ''.join(cell['source'])) for cell in json.loads(notebook)['cells'])
    return '\n\n'.join(text if kind == 'markdown' else f'```python\n{text}\n```' for kind, text in cells)


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turns links of the clone into links of the site."""
    place = Path(PAGES.get(page.file.src_uri, f'docs/{page.file.src_uri}')).parent
    return _LINK.sub(lambda match: match[1] + _target(match[2], place, Path(page.file.src_uri).parent), markdown)


def _target(link: str, place: Path, home: Path) -> str:
    """Returns a link on a page in the site's folder ``home`` that was written in the clone's folder ``place``."""
    path = (ROOT / place / link).resolve()
    known = {(ROOT / source).resolve(): ROOT / 'docs' / page for page, source in {**PAGES, **FILES}.items()}
    path = known.get(path, path)
    if not path.is_relative_to(ROOT / 'docs'):
        return link  # MkDocs will say that there is no such page.
    up = '../' * len(home.parts)
    return up + path.relative_to(ROOT / 'docs').as_posix()
