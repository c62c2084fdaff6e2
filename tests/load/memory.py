"""What backends hold in memory together: a page is divided by the number of those who share it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """MiB of their own, of files and of shared buffers."""

    anon: float = 0
    file: float = 0
    shmem: float = 0

    @staticmethod
    def of(pids: Sequence[int]) -> Memory:
        """Of these processes together."""
        sums = dict.fromkeys(("Anon", "File", "Shmem"), 0)
        for pid in pids:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                for kind in sums:
                    if line.startswith(f"Pss_{kind}:"):
                        sums[kind] += int(line.split()[1])
        return Memory(*(kilobytes / 1024 for kilobytes in sums.values()))

    @property
    def own_and_files(self) -> float:
        """MiB without shared buffers, whose size is a setting."""
        return self.anon + self.file
