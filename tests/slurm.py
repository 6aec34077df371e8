"""A Slurm of one machine, for tests: `sbatch`, `srun` and `sacct` as far as submitit uses them.

`sbatch FILE` runs the tasks of an array one after the other, each in an environment that has only
what a cluster with `--export=NONE` would pass on. `install(folder)` puts the commands there.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path


def install(folder):
    """Write the commands into `folder`, which belongs on the PATH then."""
    for name in ("sbatch", "srun", "sacct"):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {__file__} {name} "$@"\n')
        script.chmod(0o755)


def sbatch(script):
    """Begin the tasks of an array and return at once, as Slurm does."""
    text, job = Path(script).read_text(encoding="utf-8"), _next_job()
    found = re.search(r"^#SBATCH --array=(\d+)-(\d+)", text, re.M)
    tasks = range(int(found[1]), int(found[2]) + 1) if found else [None]
    kept = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    if "PYTHONPATH" in os.environ:  # where a checkout is tested that is not installed
        kept["PYTHONPATH"] = os.environ["PYTHONPATH"]
    print(f"Submitted batch job {job}", flush=True)
    if os.fork():
        return
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    for task in tasks:
        number = (
            {}
            if task is None
            else {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_JOB_ID": str(job)}
        )
        own = {
            "SLURM_JOB_ID": str(job if task is None else job + 1 + task),
            "SLURM_JOB_NODELIST": "localhost",
            "SLURM_NTASKS": "1",
            "SLURM_JOB_NUM_NODES": "1",
            "SLURM_NODEID": "0",
            "SLURM_PROCID": "0",
            "SLURM_LOCALID": "0",
        }
        done = subprocess.run(["bash", script], env=kept | number | own, check=False)
        name = str(job) if task is None else f"{job}_{task}"
        state = "COMPLETED" if done.returncode == 0 else "FAILED"
        with _states().open("a", encoding="utf-8") as states:
            states.write(f"{name}|{state}|localhost\n")


def srun(*words):
    """Run the command that follows the options, its output in the files they name."""
    command, files = list(words), {}
    task = os.environ.get("SLURM_ARRAY_TASK_ID", "0")
    job = os.environ.get("SLURM_ARRAY_JOB_ID") or os.environ["SLURM_JOB_ID"]
    while command[0].startswith("--"):
        option = command.pop(0)
        if option in ("--output", "--error"):
            name = command.pop(0).replace("%A", job).replace("%j", job)
            files[option] = Path(name.replace("%a", task).replace("%t", "0"))
    with files["--output"].open("w") as out, files["--error"].open("w") as err:
        sys.exit(subprocess.run(command, stdout=out, stderr=err, check=False).returncode)


def sacct(*_):
    """Say how the tasks have ended; submitit takes those it does not find for waiting."""
    print("JobID|State|NodeList")
    print(_states().read_text(encoding="utf-8") if _states().exists() else "", end="")


def _next_job():
    """Return a number that no job before has, nor any of its tasks."""
    file = _states().with_name("job")
    job = int(file.read_text()) + 100 if file.exists() else 100
    file.write_text(str(job))
    return job


def _states():
    """Return the file that lists the tasks that have ended, beside the commands."""
    return Path(shutil.which("sbatch")).with_name("states")


if __name__ == "__main__":
    {"sbatch": sbatch, "srun": srun, "sacct": sacct}[sys.argv[1]](*sys.argv[2:])
