"""The flags that the C sources are compiled with, by kind of compiler and of processor.

``setup.py`` builds with them and ``tools/cross.py`` compiles for other systems with them; both execute this file by
path, so it imports only the standard library.
"""

from __future__ import annotations

# Contraction off and no fast-math: every instruction set, and the pure twin, give the same digits.
UNIX = (
    "-std=c11",
    "-O3",
    "-g0",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
)
MSVC = ("/std:c11", "/O2", "/fp:precise")


def instruction_sets(target: str, msvc: bool = False) -> dict[str, list[str]]:
    """The flags of each instruction set that kernels are compiled for; ``cpu.c`` picks one at import.

    `target` is the platform that is built for, as in a wheel's tag: ``linux-x86_64``, ``win-arm64``,
    ``macosx-11.0-universal2``. "generic" is what other processors get; it is built everywhere so that it is tested.
    """
    machine = target.rsplit("-", 1)[-1].lower()
    # Nothing but tests runs it there: small rather than fast.
    generic = {"generic": ["/DFC_PLAIN"] if msvc else ["-DFC_PLAIN", "-Os", "-fno-asynchronous-unwind-tables"]}
    if machine in ("x86_64", "amd64"):
        return {**generic, "sse2": [], "avx2": ["/arch:AVX2"] if msvc else ["-mavx2", "-mfma", "-mbmi2"]}
    if machine in ("arm64", "aarch64"):
        return {**generic, "neon": []}
    return {"generic": []}  # universal2 among them: one object file holds several architectures
