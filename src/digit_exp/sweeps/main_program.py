"""The program that registers one's own classes, run again by other processes of its sweep."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from digit_exp.config.schema import own_classes
from digit_exp.registry import ConfigError

NAME = "__mp_main__"
"""The name of a main program in its workers, as `multiprocessing` has it."""

_importing: list[str] = []
"""The program that a worker is importing."""


def main_program() -> str | None:
    """Return the file of the main program if it has registered classes."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return str(Path(file).resolve()) if file and own_classes() else None


def register_again(script: str | None) -> None:
    """Let a program register its classes in this process, if it has not."""
    if script is None or own_classes():
        return
    spec = spec_from_file_location(NAME, script)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[NAME] = module
    sys.path.insert(0, str(Path(script).parent))  # as Python does for a main program
    _importing.append(script)
    try:
        spec.loader.exec_module(module)
    except SystemExit as end:
        raise _unguarded(script) from end
    finally:
        _importing.remove(script)


def require_main() -> None:
    """Refuse to begin a sweep while a worker of another sweep imports this program."""
    if _importing:
        raise _unguarded(_importing[0])


def _unguarded(script: str) -> ConfigError:
    message = "is imported by the workers of its sweep; put what it runs under"
    return ConfigError.at(script, f'{message} `if __name__ == "__main__":`')
