"""Log files: cut while their writer goes on, numbered from the newest, and never more than the cap in all."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.cli import log_files


def test_a_writer_goes_on_in_the_emptied_file_and_no_line_is_lost(tmp_path: Path) -> None:
    log = tmp_path / "feed.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(30):
            writer.write(b"%04d\n" % number * 10)
            log_files.rotate(tmp_path, 10**6, file_bytes=120)
    names = sorted((path.name for path in tmp_path.iterdir()), key=lambda name: -int(f"0{name[9:]}"))
    assert names[-2:] == ["feed.log.1", "feed.log"]
    told = "".join((tmp_path / name).read_text() for name in names).split()
    assert told == [f"{number:04d}" for number in range(30) for _ in range(10)]


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), max_size=30), cap=st.integers(500, 2_000))
def test_all_files_together_stay_within_the_cap(tmp_path_factory: object, sizes: list[int], cap: int) -> None:
    folder = tmp_path_factory.mktemp("logs")  # type: ignore[attr-defined]
    for number, size in enumerate(sizes):
        with (folder / f"{'ab'[number % 2]}.log").open("ab") as log:
            log.write(b"x" * size)
        log_files.rotate(folder, cap, file_bytes=100)
        whole = sum(path.stat().st_size for path in folder.iterdir())
        current = sum(path.stat().st_size for path in folder.glob("*.log"))
        assert whole <= max(cap, current)
