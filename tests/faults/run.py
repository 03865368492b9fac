"""Run every program of this folder, one after the other, and say which kept its promises.

make faults                       all of them
make faults ARGS="workers_killed"    one
"""

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent


def find_programs() -> list[str]:
    """The names of the programs: what can be run, is no test and not this one."""
    named = sorted(path.stem for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text())
    return [name for name in named if name != "run" and not name.startswith("test_")]


def main(wanted: list[str]) -> int:
    programs = find_programs()
    if unknown := set(wanted) - set(programs):
        print(f"There is no {min(unknown)}. There are: {', '.join(programs)}", file=sys.stderr)
        return 2
    failed = []
    for name in wanted or programs:
        started = time.monotonic()
        print(f"== {name}", flush=True)
        status = subprocess.run([sys.executable, "-m", f"tests.faults.{name}"], check=False).returncode
        print(f"   {'ok' if status == 0 else 'FAILED'}, {time.monotonic() - started:.0f} s", flush=True)
        if status:
            failed.append(name)
    print(f"{len(wanted or programs) - len(failed)} passed, {len(failed)} failed" + "".join(f"\n  {n}" for n in failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
