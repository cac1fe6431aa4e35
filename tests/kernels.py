"""The compiled kernel as it runs on processors that have less than this one."""

import importlib.machinery
import importlib.util
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType

from tests.commands import PROJECT

# What the processor then supports: the fourth letter tells "avx512f", "avx2" and "fma" apart.
PROCESSORS = {"avx2": "(name)[3]!='5'&&__builtin_cpu_supports(name)", "any": "0"}


def kernel_for(processor: str, folder: Path) -> ModuleType | None:
    """Compiled into the folder; None where there is no C compiler, or no Python.h."""
    headers = sysconfig.get_path("include")
    linker = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    if shutil.which(linker[0]) is None or not Path(headers, "Python.h").is_file():
        return None
    path = folder / "_kernel.abi3.so"
    answer = f"-D__builtin_cpu_supports(name)=({PROCESSORS[processor]})"
    sources = map(str, sorted((PROJECT / "nsmc" / "runtime" / "kernel").glob("*.c")))
    command = [*linker, "-O3", "-fPIC", answer, f"-I{headers}", *sources, "-o", str(path)]
    subprocess.run(command, check=True)
    return _loaded(path)


def _loaded(path: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader("_kernel", str(path))
    spec = importlib.util.spec_from_loader("_kernel", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
