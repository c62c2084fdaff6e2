"""Map the repository's folders into one package: a top-level "kernels" would collide with another's."""

from pathlib import Path

from setuptools import Extension, find_packages, setup

FOLDERS = ("kernels", "host", "sql", "examples")


def mapped_packages() -> list[str]:
    """Every package, named as it is installed."""
    names = find_packages(include=["ruattn_fdw", "ruattn_fdw.*"])
    for folder in FOLDERS:
        names += [f"ruattn_fdw.{folder}", *(f"ruattn_fdw.{folder}.{name}" for name in find_packages(folder))]
    return names


# parameters that Python passes to all, and vectors passed between functions that are never called
QUIET = ("-Wno-unused-parameter", "-Wno-psabi")
# lanes of integers wrap around
LANGUAGE = ("-std=gnu11", "-pthread", "-fwrapv")
HEADERS = [str(path) for path in sorted(Path("kernels/native").glob("*.h"))]


def loops(name: str) -> Extension:
    """The module of loops in C of this name."""
    return Extension(
        f"ruattn_fdw.kernels.native.{name}",
        [f"kernels/native/{name}.c"],
        depends=HEADERS,
        libraries=["m"],
        extra_compile_args=[
            "-O3",
            "-fwrapv",
            "-std=gnu11",
            "-pthread",
            "-Wall",
            "-Wextra",
            "-Werror",
            *QUIET,
        ],
    )


setup(
    ext_modules=[loops("dots"), loops("flow"), loops("rank"), loops("sweep"), loops("tiles")],
    packages=mapped_packages(),
    package_dir={f"ruattn_fdw.{folder}": folder for folder in FOLDERS},
    package_data={
        "ruattn_fdw": ["py.typed"],
        "ruattn_fdw.explore": ["page.*"],
        "ruattn_fdw.kernels.native": ["*.pyi"],
        "ruattn_fdw.host": ["*.c", "*.h"],
        "ruattn_fdw.sql": ["*.sql", "*.control"],
        "ruattn_fdw.examples": ["*.sql", "*.md", "data/*"],
    },
)
