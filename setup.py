"""Builds the compiled extensions of ``fastcore/_ext``; all else is in pyproject.toml.

Environment
-----------
FASTCORE_NO_EXTENSIONS=1       build none: a pure-Python distribution
FASTCORE_REQUIRE_EXTENSIONS=1  a failed extension is fatal (by default it is left out, and `fastcore status` says so)
FASTCORE_SANITIZE=address,undefined   build with sanitizers and assertions (see `make asan`)
FASTCORE_BUILD_ONLY=cache,heap        build only these, while working on them
FASTCORE_REPOSITORY_URL=https://...   where the links of the description lead
"""

from __future__ import annotations

import filecmp
import os
import runpy
import sys
import sysconfig
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

HERE = os.path.dirname(os.path.abspath(__file__))
EXT_DIR = "fastcore/_ext"

_sources = runpy.run_path(os.path.join(HERE, EXT_DIR, "_sources.py"))
_flags = runpy.run_path(os.path.join(HERE, "tools", "compiler_flags.py"))
_description = runpy.run_path(os.path.join(HERE, "tools", "description.py"))
_env = runpy.run_path(os.path.join(HERE, "fastcore", "_env.py"))
EXTENSIONS = _sources["EXTENSIONS"]
STAMP_SOURCE = f"{EXT_DIR}/{_sources['STAMP_SOURCE']}"
VERSION = runpy.run_path(os.path.join(HERE, "fastcore", "_version.py"))["__version__"]

NONE = _env["boolean"]("FASTCORE_NO_EXTENSIONS")
REQUIRED = _env["boolean"]("FASTCORE_REQUIRE_EXTENSIONS")
SANITIZE = os.environ.get("FASTCORE_SANITIZE", "")
ONLY = [name for name in os.environ.get("FASTCORE_BUILD_ONLY", "").split(",") if name]

DIRECTIVES = {
    "language_level": 3,
    "embedsignature": True,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}

# The C sources rely on the GIL. Declared or not, an extension that needs it would switch it on for the whole process.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
if FREE_THREADED and not NONE:
    text = "setup.py: expected a Python with the GIL to build extensions for, got a free-threaded one"
    if REQUIRED:
        sys.exit(text)
    print(f"{text}: building without extensions", file=sys.stderr)
    NONE = True

if NONE and REQUIRED:
    sys.exit("setup.py: FASTCORE_NO_EXTENSIONS and FASTCORE_REQUIRE_EXTENSIONS contradict each other: set one of them")
if unknown := sorted(set(ONLY) - set(EXTENSIONS)):
    sys.exit(f"setup.py: FASTCORE_BUILD_ONLY: expected names of {', '.join(EXTENSIONS)}, got {', '.join(unknown)}")


def stamp(name: str) -> str:
    return _sources["stamp_of"](name, os.path.join(HERE, EXT_DIR), VERSION)


def unix_flags() -> list[str]:
    flags = list(_flags["UNIX"])
    if SANITIZE:
        flags += [
            f"-fsanitize={SANITIZE}",
            "-fno-sanitize-recover=all",
            "-fno-omit-frame-pointer",
            "-O1",
            "-g",
            "-UNDEBUG",
        ]
    return flags


# Options of inexact arithmetic that CFLAGS, LDFLAGS and CC may hold. Missing values are NaN, and what GCC links for
# these options rounds subnormal numbers to zero in the whole process.
INEXACT = {
    "-Ofast",
    "-ffast-math",
    "-ffinite-math-only",
    "-funsafe-math-optimizations",
    "-fassociative-math",
    "-freciprocal-math",
    "-fno-signed-zeros",
    "-mdaz-ftz",
}


def remove_inexact(compiler) -> None:
    """Remove the options of inexact arithmetic from the commands of `compiler`, and print which they were."""
    left_out = set()
    for name in compiler.executables:
        command = getattr(compiler, name, None)
        if isinstance(command, list):
            left_out |= INEXACT.intersection(command)
            command[:] = [word for word in command if word not in INEXACT]
    if left_out:
        print(f"setup.py: left out, as results would be wrong: {' '.join(sorted(left_out))}", file=sys.stderr)


def side_by_side(compiler) -> Callable[..., list[str]]:
    """`compiler.compile`, but each source in a thread of its own, as many at once as the machine has cores."""
    one = compiler.compile
    if getattr(compiler, "initialized", True) is False:
        compiler.initialize()  # MSVC would look for itself in each thread

    def compile_all(sources: list[str], **options) -> list[str]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = list(pool.map(lambda source: one([source], **options), sources))
        return [file for files in made for file in files]

    return compile_all


def one_for_size(compile_all: Callable[..., list[str]], name: str) -> Callable[..., list[str]]:
    """`compile_all`, but `name`, which Cython made of a .pyx, small rather than fast: it runs once for a call."""

    def compile_apart(sources: list[str], **options) -> list[str]:
        made = [source for source in sources if os.path.basename(source) == name]
        others = [source for source in sources if source not in made]
        small = {**options, "extra_postargs": [*options.get("extra_postargs", ()), "-Os"]}
        return compile_all(others, **options) + (compile_all(made, **small) if made else [])

    return compile_apart


class BuildExt(build_ext):
    """Compiles kernels per instruction set and marks each extension with its build stamp."""

    def build_extensions(self) -> None:
        remove_inexact(self.compiler)
        self.compiler.compile = side_by_side(self.compiler)
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        name = ext.name.rsplit(".", 1)[-1]
        spec = EXTENSIONS[name]
        msvc = self.compiler.compiler_type == "msvc"
        base = list(_flags["MSVC"]) if msvc else unix_flags()
        ext.extra_compile_args = base
        if spec.kernels and not msvc and not SANITIZE:
            ext.extra_compile_args = [*base, "-O2"]  # what calls kernels: -O3 makes it larger, not faster
            self.compiler.compile = one_for_size(self.compiler.compile, f"{name}.c")
        if SANITIZE and not msvc:
            ext.extra_link_args = [f"-fsanitize={SANITIZE}"]
        elif sys.platform == "linux":
            ext.extra_link_args = ["-Wl,--strip-all"]  # names of functions inside, a tenth of the file
        shared_temp, self.build_temp = self.build_temp, os.path.join(self.build_temp, name)
        try:
            if self.force or self.outdated(name, ext):
                ext.extra_objects = self.compile_parts(name, spec, ext, base, msvc)
                self.force, force = True, self.force  # setuptools compares dates only
                try:
                    super().build_extension(ext)
                finally:
                    self.force = force
        finally:
            self.build_temp = shared_temp

    def outdated(self, name: str, ext: Extension) -> bool:
        """True when the binary is older than its sources, or carries another stamp: dates alone miss a copied one."""
        path = self.get_ext_fullpath(ext.name)
        if newer_group([*ext.sources, *ext.depends], path, "newer"):
            return True
        with open(path, "rb") as file:
            return stamp(name).encode() not in file.read()

    def compile_parts(self, name: str, spec, ext: Extension, base: list[str], msvc: bool) -> list[str]:
        objects = self.compiler.compile(
            [STAMP_SOURCE],
            output_dir=self.build_temp,
            macros=[("FASTCORE_STAMP", f'"{stamp(name)}"')],
            extra_postargs=base,
        )
        if spec.kernels:
            isas = _flags["instruction_sets"](self.plat_name, msvc)
            have = [(f"FC_HAVE_{isa.upper()}", "1") for isa in isas]
            ext.define_macros = [*ext.define_macros, *have]
            for isa, flags in isas.items():
                objects += self.compiler.compile(
                    [f"{EXT_DIR}/{path}" for path in spec.kernels],
                    output_dir=os.path.join(self.build_temp, isa),
                    include_dirs=ext.include_dirs,
                    macros=[("FC_ISA", isa), *have],
                    extra_postargs=[*base, *flags],
                    depends=ext.depends,
                )
        return objects

    def run(self) -> None:
        super().run()
        if not self.inplace and self.extensions:
            self.write_stamps()

    def copy_extensions_to_source(self) -> None:
        # setuptools copies by date; a foreign binary that is newer would stay.
        build_py = self.get_finalized_command("build_py")
        for ext in self.extensions:
            inplace, built = self._get_inplace_equivalent(build_py, ext)
            if os.path.exists(built) and os.path.exists(inplace) and not filecmp.cmp(built, inplace, shallow=False):
                os.unlink(inplace)
        super().copy_extensions_to_source()

    def write_stamps(self) -> None:
        """An installed copy has no sources to compute stamps from, so the wheel carries them."""
        built = [e.name.rsplit(".", 1)[-1] for e in self.extensions if os.path.exists(self.get_ext_fullpath(e.name))]
        stamps = {name: stamp(name) for name in built}
        path = os.path.join(self.build_lib, *EXT_DIR.split("/"), "_stamps.py")
        self.mkpath(os.path.dirname(path))
        with open(path, "w", encoding="ascii") as file:
            file.write('"""Build stamps of the extensions in this folder; written by the build."""\n\n')
            file.write(f"STAMPS = {stamps!r}\n")


def translated(ext: Extension) -> Extension:
    """Run Cython over one extension; again if the generated C is of other sources, whatever the dates say."""
    from Cython import __version__ as cython_version
    from Cython.Build import cythonize

    name = ext.name.rsplit(".", 1)[-1]
    folder = f"build/cython/{sys.implementation.cache_tag}"  # an environment each: what Cython includes is its own
    mark = os.path.join(HERE, folder, f"{name}.stamp")
    wanted = f"{stamp(name)} cython {cython_version} numpy {numpy_version() if EXTENSIONS[name].numpy else 'unused'}"
    fresh = False
    if os.path.exists(mark):
        with open(mark, encoding="ascii") as file:
            fresh = file.read() == wanted
    (done,) = cythonize([ext], build_dir=folder, force=not fresh, compiler_directives=DIRECTIVES)
    if not fresh:
        os.makedirs(os.path.dirname(mark), exist_ok=True)
        with open(mark, "w", encoding="ascii") as file:
            file.write(wanted)
    return done


def numpy_version() -> str:
    import numpy

    return numpy.__version__


def extensions() -> list[Extension]:
    if NONE:
        return []
    found = []
    for name, spec in EXTENSIONS.items():
        if ONLY and name not in ONLY:
            continue
        include = [f"{EXT_DIR}/src"]
        macros = []
        if spec.numpy:
            import numpy

            include.append(numpy.get_include())
            macros.append(("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"))
        if missing := [path for path in _sources["files_of"](name) if not os.path.exists(os.path.join(EXT_DIR, path))]:
            text = f"setup.py: {name}: expected these files in {EXT_DIR}, found none: {', '.join(missing)}"
            if REQUIRED or ONLY:
                sys.exit(text)
            print(text, file=sys.stderr)
            continue
        depends = [f"{EXT_DIR}/{path}" for path in (*spec.sources, *spec.kernels, *spec.headers)]
        found.append(
            Extension(
                f"fastcore._ext.{name}",
                [f"{EXT_DIR}/{path}" for path in spec.sources],
                include_dirs=include,
                define_macros=macros,
                depends=[*depends, STAMP_SOURCE, "fastcore/_version.py", "setup.py", "tools/compiler_flags.py"],
            )
        )
    try:
        found = [translated(ext) for ext in found]
    except Exception as error:
        if REQUIRED or ONLY:
            raise
        print(f"setup.py: Cython failed, building without extensions: {error}", file=sys.stderr)
        return []
    for ext in found:
        ext.optional = not (REQUIRED or ONLY)  # cythonize() loses it
    return found


def description() -> str:
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
        return _description["described"](file.read(), os.environ.get("FASTCORE_REPOSITORY_URL", ""), VERSION)


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildExt},
    long_description=description(),
    long_description_content_type="text/markdown",
)
