"""What ``pyproject.toml`` cannot say: a wheel carries its catalogues compiled, because a fresh machine has no step for it."""

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithCatalogues(build_py):
    """Compiles every ``.po`` into the tree a wheel is made of; the source tree has its own rule in the Makefile."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source in Path("colporteur", "locale").glob("*/LC_MESSAGES/*.po"):
            target = Path(self.build_lib, source).with_suffix(".mo")
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as words, target.open("wb") as compiled:
                write_mo(compiled, read_po(words))


setup(cmdclass={"build_py": BuildWithCatalogues})
