#!/usr/bin/env python3
"""The recipes as their servers would read them, and the commands of a night with seconds instead of hours.

usage: recipes_test.py SOURCE BUILD      exit code 77: PyYAML is not there
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    print("skipped: no PyYAML")
    sys.exit(77)

TINY = {"hours": "0.002", "kernels": "flash_fwd.4x4@simt"}
BUILDS = ("harness/dev", "cmake", "ctest")  # run by the builds of this project all day


def github(recipe):
    """Commands of each job by name."""
    assert {"push", "schedule"} <= set(recipe[True]), "'on' (YAML reads it as true) lacks a trigger"
    for job in recipe["jobs"].values():
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step), step
            assert "uses" not in step or "@v" in step["uses"], f"no version: {step}"
    return recipe["env"], {name: [step["run"] for step in job["steps"] if "run" in step]
                           for name, job in recipe["jobs"].items()}


def gitlab(recipe):
    return recipe["variables"], {name: recipe[name]["script"] + recipe[name].get("after_script", [])
                                 for name in ("laws", "night")}


def check_builds(source, commands):
    """What builds and tests is a command of harness/dev or a preset that is there."""
    names = {preset["name"] for preset in
             json.loads((source / "CMakePresets.json").read_text())["configurePresets"]}
    dev = (source / "harness/dev").read_text()
    for word in " && ".join(commands).split("--preset ")[1:]:
        assert word.split()[0] in names, f"no preset {word.split()[0]}"
    for word in " && ".join(commands).split("harness/dev ")[1:]:
        assert f"\n  {word.split()[0]})" in dev, f"no command harness/dev {word.split()[0]}"


def run_night(build, commands):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "build").mkdir()
        pathlib.Path(folder, "build/check").symlink_to(build)
        settings = {**os.environ, **TINY, "PADPROOF_CORPORA": f"{folder}/corpora"}
        for command in commands:
            print("$", command, flush=True)
            subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=settings, check=True)
        for left in ("build/cases", "build/night/junit.xml", "build/night/campaign.json"):
            assert pathlib.Path(folder, left).exists(), f"a night leaves no {left}"


def main():
    source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    for name, read in (("github-workflow.yml", github), ("gitlab-ci.yml", gitlab)):
        variables, jobs = read(yaml.safe_load((source / "fuzz/recipes" / name).read_text()))
        assert set(variables) == set(TINY), variables
        for commands in jobs.values():
            check_builds(source, commands)
        run_night(build, [c for c in jobs["night"] if not c.startswith(BUILDS)])
        print("ok   ", name)


main()
