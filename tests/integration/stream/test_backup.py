"""The drill of the operator's guide: back up, lose the machine, restore, go on; and what no backup may do."""

import shutil
import stat
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from devstack.backup import back_up, restore
from devstack.errors import StackError
from tests.integration.stream.running import running
from tests.unit.tables.contents import MASTERS, SELLER, entry, line

NOT_ASKED = ("intake", "metrics", "lifecycle")


def _hourstream(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"HOURSTREAM_HOME": str(home), "HOURSTREAM_PARTITIONS": "2"})


def test_everything_comes_back_after_the_machine_is_lost_and_the_stream_goes_on(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "kept.tar.gz"
    with running(home, without=NOT_ASKED) as stream:
        stream.takes(*(stream.next_revision(content) for content in [*MASTERS, SELLER]))
        stream.takes(*(line(entry("E1", str(n))) for n in range(5)), line(entry("E1", "stuck", task_id="T-NEVER")))
        told = stream.hourstream("invoice", "run", "--cut-off", "2024-12-31", "--issue-date", "2025-01-02")
        assert told.exit_code == 0, told.output
        before, charges = stream.books().ledger(), stream.books().charges
        refused = _hourstream(home, "backup", str(file))
        assert refused.exit_code == 1
        assert "already runs" in refused.output
    made = _hourstream(home, "backup", str(file))
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    shutil.rmtree(home)
    done = _hourstream(home, "restore", str(file))
    assert done.exit_code == 0, done.output
    with running(home, without=NOT_ASKED) as stream:
        stream.rest()
        assert stream.books().ledger() == before
        assert stream.books().charges == charges
        audited = stream.hourstream("audit")
        assert audited.exit_code == 0, audited.output
        stream.takes(line(entry("E1", "afterwards")), line(entry("E1", "0"), revision=2))
        assert stream.state("time:afterwards") == "charged"
        audited = stream.hourstream("audit")
        assert audited.exit_code == 0, audited.output


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Path]:
    """(home, backup of it): the shape of a stack, without a server's bytes."""
    home, file = tmp_path / "home", tmp_path / "kept.tar.gz"
    for name in ("kafka/data", "postgres/data/pg_empty"):
        (home / name).mkdir(parents=True)
    (home / "kafka/data/log").write_bytes(b"records")
    (home / "postgres/password").write_text("secret")
    (home / "ports.json").write_text("{}")
    back_up(home, file)
    return home, file


def test_a_restore_gives_files_empty_folders_and_modes_back(small: tuple[Path, Path], tmp_path: Path) -> None:
    home, file = small
    (home / "kafka/data").chmod(0o700)
    file.unlink()
    back_up(home, file)
    assert restore(file, tmp_path / "again") == 8
    assert (tmp_path / "again/kafka/data/log").read_bytes() == b"records"
    assert (tmp_path / "again/postgres/data/pg_empty").is_dir()
    assert stat.S_IMODE((tmp_path / "again/kafka/data").stat().st_mode) == 0o700


def test_neither_a_home_nor_a_backup_is_ever_written_over(small: tuple[Path, Path]) -> None:
    home, file = small
    with pytest.raises(StackError, match="not empty"):
        restore(file, home)
    with pytest.raises(StackError, match="exists"):
        back_up(home, file)


def test_a_backup_that_is_not_whole_restores_nothing(small: tuple[Path, Path], tmp_path: Path) -> None:
    _, file = small
    whole = file.read_bytes()
    for broken in (whole[: len(whole) // 2], b"no archive", whole[:200] + b"\xff" + whole[201:]):
        file.write_bytes(broken)
        with pytest.raises(StackError, match=r"kept\.tar\.gz"):
            restore(file, tmp_path / "again")
        assert not (tmp_path / "again").exists()
        assert not list(tmp_path.glob("*.restoring"))


def test_an_altered_or_added_file_is_found(small: tuple[Path, Path], tmp_path: Path) -> None:
    _, file = small
    for name in ("kafka/data/log", "kafka/data/more"):
        altered = tmp_path / "altered.tar.gz"
        with tarfile.open(file) as source, tarfile.open(altered, "w:gz") as target:
            for member in source:
                if member.name == name:
                    continue
                target.addfile(member, source.extractfile(member) if member.isfile() else None)
            other = tmp_path / "other"
            other.write_bytes(b"RECORDS")
            target.add(other, name)
        with pytest.raises(StackError, match=f"{name} is not what was backed up"):
            restore(altered, tmp_path / "again")


def test_a_member_that_leads_elsewhere_is_refused(small: tuple[Path, Path], tmp_path: Path) -> None:
    for kind, name in ((tarfile.SYMTYPE, "kafka/link"), (tarfile.REGTYPE, "../outside")):
        file = tmp_path / "evil.tar.gz"
        with tarfile.open(file, "w:gz") as target:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc"
            target.addfile(member)
        with pytest.raises(StackError, match=r"evil\.tar\.gz"):
            restore(file, tmp_path / "again")
        assert not (tmp_path / "outside").exists()
        file.unlink()
