"""Compiles the kernels (melodysim/kernels/native) into the wheel, where there is a C compiler.

Without one the wheel is of Python alone and numba compiles the same kernels when they are first used:
the same results, to the bit, at a third of the speed (`melodysim doctor` says which are there).
``MELODYSIM_KERNELS=require`` makes a failure an error, for those who publish wheels; ``skip`` leaves
them out.
"""

import os
import sys
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = "melodysim/kernels/native"
UNIX_FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"]
"""Contracted sums would differ in their last bit from one machine to the next. That nobody looks at the
flags of floating-point errors must be said, or loops with conditions are not vectorised."""
FLAGS = ["/O2"] if sys.platform == "win32" else UNIX_FLAGS


class CompileKernels(BuildHookInterface):
    """Hatch's hook for a build."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Compile in place, and say that the wheel is of this platform."""
        wanted = os.environ.get("MELODYSIM_KERNELS", "")
        if wanted == "skip":
            return
        try:
            artifact = _compile(Path(self.root))
        except Exception as error:
            if wanted == "require":
                raise
            self.app.display_warning(f"kernels were not compiled, numba will serve: {error}")
            return
        from packaging.tags import sys_tags

        # What a wheel may claim beyond this very system is for auditwheel to say.
        others = ("manylinux", "musllinux")
        platform = next(t.platform for t in sys_tags() if not t.platform.startswith(others))
        build_data["force_include"][str(artifact)] = artifact.relative_to(self.root).as_posix()
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform}"


def _compile(root: Path) -> Path:
    """Compile the module beside its callers; give its path."""
    from setuptools import Distribution, Extension

    folder = root / SOURCES
    extension = Extension(
        "melodysim.kernels._native",
        sorted(str(path.relative_to(root)) for path in folder.glob("*.c")),
        depends=[str(path) for path in folder.glob("*.h")],
        extra_compile_args=FLAGS,
        py_limited_api=True,
    )
    distribution = Distribution({"ext_modules": [extension], "packages": ["melodysim.kernels"]})
    command = distribution.get_command_obj("build_ext")
    command.inplace = command.force = True
    with tempfile.TemporaryDirectory() as folder:
        command.build_temp = folder
        command.ensure_finalized()
        before = Path.cwd()
        os.chdir(root)
        try:
            command.run()
        finally:
            os.chdir(before)
    return root / command.get_ext_fullpath("melodysim.kernels._native")
