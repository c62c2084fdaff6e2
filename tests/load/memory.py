"""What backends hold in memory together: a page is divided by the number of those who share it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """MiB of their own, of files and of shared buffers; by how much `resident` is more than their own."""

    anon: float = 0
    file: float = 0
    shmem: float = 0
    inherited: float = 0

    @staticmethod
    def of(pids: Sequence[int]) -> Memory:
        """Of these processes together."""
        sums = dict.fromkeys(("Pss_Anon", "Pss_File", "Pss_Shmem", "Anonymous"), 0)
        for pid in pids:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                kind, size = line.split(":")
                if kind in sums:
                    sums[kind] += int(size.split()[0])
        anon, file, shmem, resident = (kilobytes / 1024 for kilobytes in sums.values())
        return Memory(anon, file, shmem, resident - anon)

    @property
    def own_and_files(self) -> float:
        """MiB without shared buffers, whose size is a setting."""
        return self.anon + self.file


def resident(pids: Sequence[int]) -> float:
    """MiB of their own and, counted for each, of what they share with the postmaster: read in no time."""
    kilobytes = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        kilobytes += int(next(line for line in lines if line.startswith("RssAnon:")).split()[1])
    return kilobytes / 1024
