"""The page about pictures shows what its own commands draw."""

import re
import shlex
from pathlib import Path

from ruattn_fdw.cli.main import parser

PAGE = Path(__file__).parents[2] / "docs" / "plots.md"


def test_each_command_of_the_page_is_one_and_its_picture_follows() -> None:
    found = re.findall(r"```sh\nruattn (plot .*?)```\n\n!\[[^]]*\]\(([^)]*)\)", PAGE.read_text(), re.DOTALL)
    assert len(found) == 4
    for command, picture in found:
        options = parser("plot").parse_args(shlex.split(command.replace("\\\n", "")))
        assert picture == f"pictures/{options.file}"
        assert (PAGE.parent / picture).exists()
