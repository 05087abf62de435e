"""The wheel holds everything that the product needs: it runs outside the checkout, in an environment of its own."""

import gzip
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = CHECKOUT / "tests" / "data" / "examples" / "time-and-materials"
DEPENDENCIES = sysconfig.get_path("purelib")
GIT = shutil.which("git") or "git"


def tracked_files() -> list[str]:
    """The files that git tracks and that are there."""
    listed = subprocess.run([GIT, "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (CHECKOUT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git tracks, so that no build folder is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    with tarfile.open(folder / "source.tar", "w") as archive:
        for name in tracked_files():
            archive.add(CHECKOUT / name, name)
    with tarfile.open(folder / "source.tar") as archive:
        archive.extractall(folder / "source", filter="data")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(folder / "source")], check=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with the wheel; its dependencies are those of this one."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=120)
    program = place / "bin" / "python"
    pip = [str(program), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, str(wheel)], check=True, timeout=120)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([str(program), "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    # A path in a .pth file is searched, but its own .pth files are not read: the editable install stays out.
    (Path(packages) / "dependencies.pth").write_text(f"{DEPENDENCIES}\n")
    return place / "bin"


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    packages = {file.parent.name for file in CHECKOUT.glob("*/__init__.py")} - {"benchmarks", "ops", "tests"}
    wanted = {name for name in tracked_files() if name.partition("/")[0] in packages}
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert sorted(wanted - held) == []
    assert "settings.py" in held
    assert not [name for name in held if name.startswith(("tests/", "benchmarks/", "ops/"))]


def test_a_run_outside_the_checkout_gives_the_ledger(installed: Path, tmp_path: Path) -> None:
    facts = tmp_path / "facts"
    facts.mkdir()
    (facts / "facts.jsonl").write_bytes(gzip.decompress((EXAMPLE / "facts.jsonl.gz").read_bytes()))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HOURSTREAM_", "PYTHON"))}
    environment |= {"XDG_STATE_HOME": str(tmp_path / "state")}
    command = [str(installed / "hourstream"), "run", str(facts), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "ledger.jsonl").read_bytes() == gzip.decompress(
        (EXAMPLE / "ledger.jsonl.gz").read_bytes()
    )
    assert not (tmp_path / ".hourstream").exists()


def test_the_version_and_the_help_need_no_stack(installed: Path, tmp_path: Path) -> None:
    for option in ("--version", "--help"):
        done = subprocess.run([str(installed / "hourstream"), option], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "hourstream" in done.stdout
