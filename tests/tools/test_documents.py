"""What the documents and the help texts say of the commands."""

import ast
import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent.parent
SCRIPTS = sorted(
    path.relative_to(REPO).as_posix()
    for folder in ('tools', 'benchmarks')
    for path in REPO.glob(f'{folder}/*.py')
    if "__name__ == '__main__'" in path.read_text()
)
TEXTS = [REPO / 'README.md', *REPO.glob('docs/*.md')]
DOCSTRINGS = [*REPO.glob('configs/**/*.py'), *(REPO / script for script in SCRIPTS)]


def commands() -> list[tuple[str, str, str]]:
    """Every script that a document calls, with its arguments, as (document, script, arguments)."""
    texts = {path: path.read_text() for path in TEXTS}
    texts |= {path: ast.get_docstring(ast.parse(path.read_text())) or '' for path in DOCSTRINGS}
    script, end = (
        r'(?<!tests/)(?:tools|benchmarks)/\w+\.py',
        r'[`|;&\n]|[,.]\s',
    )  # In prose a command ends with its clause.
    found = []
    for path, text in texts.items():
        text = re.sub(r'\s*\\\n', ' ', text)  # A command may go on in the next line.
        for match in re.finditer(rf'({script})((?:(?!{script}|{end}).)*)', text):
            found.append((path.relative_to(REPO).as_posix(), match[1], match[2]))
    return found


@pytest.mark.parametrize('script', SCRIPTS)
def test_a_document_names_only_options_that_there_are(script, tool):
    path = Path(script)
    status, text, _ = tool(path.stem, '--help', folder=path.parent)
    assert status == 0 and len(text.splitlines()) > 5
    for document, called, arguments in commands():
        for option in re.findall(r'(?<![\w-])--[a-z][\w-]*', arguments) if called == script else []:
            assert re.search(rf'{option}(?![\w-])', text), f'{document}: {script} has no {option}'


def test_a_document_names_only_files_that_there_are():
    assert len(commands()) > 100
    for document, script, arguments in commands():
        for path in (script, *re.findall(r'configs/[\w./-]+\.py', arguments)):
            assert (REPO / path).is_file(), f'{document}: {path}'
    for document in TEXTS:
        for target in re.findall(r'\]\((?!https?:)([^)#]+)', document.read_text()):
            assert (document.parent / target).exists(), f'{document.name}: {target}'
        for test in re.findall(r'`(tests/[\w./-]+)`', document.read_text()):
            assert (REPO / test).exists(), f'{document.name}: {test}'
