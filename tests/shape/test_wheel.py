"""A wheel is the whole program: letters, screens and words travel with the code."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_wheel_carries_every_file_and_the_compiled_words(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "colporteur", clone / "colporteur", ignore=shutil.ignore_patterns("__pycache__", "var", "*.mo"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    wanted = {str(path.relative_to(clone)) for path in (clone / "colporteur").rglob("*") if path.is_file()}
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(clone)], check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if name.startswith("colporteur/")}
    assert carried == wanted | {name.removesuffix(".po") + ".mo" for name in wanted if name.endswith(".po")}
