"""Workers that are killed, schedulers that go, Ctrl-C, and what the processes of a machine share."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import modnet_dask
import numpy as np
import pytest
from modnet_dask.scheduler import DaskScheduler
from modnet_dask.sharing import SharedFile, sees

import modnet
from modnet.plugins.schedulers import digest_of

from .conftest import table, write
from .deadly import DEADLY, ONCE, SLOW

PLUGIN = Path(__file__).with_name("deadly.py")


def with_first(parts, number, value):
    """Gives the first row of a part a value that the engine knows."""
    columns = table(1000, number)
    columns["a"][0] = value
    write(parts / f"part-{number}.parquet", columns)


def workers_of(client):
    return set(client.run(os.getpid).values())


def test_the_part_of_a_worker_that_is_lost_is_tried_again(run, model, parts, tmp_path, address):
    with_first(parts, 2, ONCE)
    engine = ("--plugin", PLUGIN, "--engine", f"deadly:{tmp_path / 'died'}")
    found = run("predict", model, parts, "-o", tmp_path / "out", "--scheduler", address, *engine)
    assert "parts        5: 5 done\n" in found.output
    assert (tmp_path / "died").exists()
    (retries,) = re.findall(r"tried again +(\d+) part", found.output)
    assert int(retries) >= 1
    run("predict", model, parts / "part-2.parquet", "-o", tmp_path / "alone.parquet", *engine)
    assert (tmp_path / "alone.parquet").read_bytes() == (tmp_path / "out" / "part-2.parquet").read_bytes()
    assert not list((tmp_path / "out").glob(".*"))


def test_workers_killed_from_outside(run, model, parts, tmp_path, address, client):
    for number in range(5):
        with_first(parts, number, SLOW)
    before = workers_of(client)

    def kill():
        while not list((tmp_path / "out").glob("*.parquet")):
            time.sleep(0.02)
        os.kill(min(before), signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    engine = ("--plugin", PLUGIN, "--engine", "deadly")
    found = run("predict", model, parts, "-o", tmp_path / "out", "--scheduler", address, *engine)
    killer.join()
    assert "parts        5: 5 done\n" in found.output
    assert not re.search(r"tried again +0 part", found.output)
    assert min(before) not in workers_of(client)


def test_a_part_that_ends_each_worker_is_told_by_its_name_with_the_others_done(run, model, parts, tmp_path, address):
    with_first(parts, 1, DEADLY)
    engine = ("--plugin", PLUGIN, "--engine", "deadly")
    found = run("predict", model, parts, "-o", tmp_path / "out", "--scheduler", address, *engine, status=1)
    assert "parts        5: 4 done, 1 failed\n" in found.output
    assert re.search(
        r"\n  part-1\.parquet: \d workers have ended while they worked on it, the last tcp://", found.output
    )


def test_the_processes_of_a_machine_share_the_memory_of_a_model(client, tmp_path):
    # Within the test, so that it is sent itself: workers that import `tests` may find those of another distribution.
    def mapped(path):
        """What the system says of the memory into which this process has mapped a file, in kB."""
        import re
        from pathlib import Path

        (part,) = re.findall(
            rf"^\S+ r--\S* .* {re.escape(path)}\n((?:[A-Z].*\n)+)", Path("/proc/self/smaps").read_text(), re.M
        )
        return {name: int(count) for name, count in re.findall(r"(\w+): +(\d+) kB", part)}

    if not Path("/proc/self/smaps").exists():
        pytest.skip("only Linux tells which memory is shared")
    layers = [{"type": "linear", "out_features": 1000} for _ in range(3)]
    network = modnet.build({"network": {"input": [1000], "layers": layers}}, seed=0)
    modnet.save(network, tmp_path / "large.modnet")
    for number in range(6):
        (tmp_path / "in").mkdir(exist_ok=True)
        np.savez(tmp_path / "in" / f"{number}.npz", input=np.zeros((300, 1000), np.float32))
    client.wait_for_workers(2)  # one that an earlier test has killed may be starting still
    modnet_dask.predict(tmp_path / "large.modnet", tmp_path / "in" / "*.npz", tmp_path / "out", client=client)
    found = client.run(mapped, str(tmp_path / "large.modnet"))
    assert len(found) >= 2
    for memory in found.values():
        assert memory["Rss"] > 11_000  # kB; of the 12 MB of its three matrices
        assert memory["Private_Dirty"] == memory["Shared_Dirty"] == 0
        assert memory["Shared_Clean"] > 0.95 * memory["Rss"]
        assert memory["Pss"] < 0.6 * memory["Rss"]


def test_a_model_that_the_workers_do_not_see_is_sent_to_them(client, model, run, parts, tmp_path):
    with model.open("rb") as file:
        path = Path(f"/proc/self/fd/{file.fileno()}")
        if not path.exists():
            pytest.skip("there is no /proc here, by which a file is seen by one process alone")
        scheduler = DaskScheduler(client)
        shared = scheduler.share(path)
        found = [client.submit(shared, workers=[worker], pure=False).result() for worker in client.nthreads()]
        assert len(set(found)) == 1
        assert found[0].read_bytes() == model.read_bytes()
        scheduler.close()
        assert not found[0].exists()
        with pytest.raises(OSError, match="does not see /proc/self/fd/"):
            client.submit(shared, pure=False).result()


def test_another_file_of_that_name_is_noticed(client, model, tmp_path):
    path = tmp_path / "m.modnet"
    path.write_bytes(model.read_bytes())
    digest = digest_of(path)
    assert sees(path, digest)
    path.write_bytes(model.read_bytes()[:-1] + b"x")
    assert not sees(path, digest)
    with pytest.raises(OSError, match="or sees another file of that name"):
        client.submit(SharedFile(path, digest), pure=False).result()


def read(path):
    return path.read_text() if path.exists() else ""


def command(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "modnet", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        **options,
    )


def test_control_c_leaves_whole_files_and_says_how_to_go_on(run, model, parts, tmp_path, address):
    for number in range(5):
        with_first(parts, number, SLOW)
    out = tmp_path / "out"
    words = ("predict", model, parts, "-o", out, "--scheduler", address, "--plugin", PLUGIN, "--engine", "deadly")
    process = command(*words)
    while "part-" not in read(out / "_modnet.jsonl") and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert re.search(r"parts        5: \d done, \d left\n", output)
    assert "\ninterrupted; go on: modnet predict " in output
    assert output.endswith(" --resume\n")
    found = run(*words, "--resume")
    assert re.search(r"parts        5: \d done, \d done before\n", found.output)
    assert len(list(out.glob("*.parquet"))) == 5
    assert not list(out.glob(".*"))


def test_a_scheduler_that_goes_and_one_without_workers(model, parts, tmp_path, monkeypatch, run):
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "distributed.cli.dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
        ],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            address = next(
                found[1] for line in process.stderr if (found := re.search(r"(tcp://127\.0\.0\.1:\d+)", line))
            )
            monkeypatch.setattr("modnet_dask.scheduler.PATIENCE", 1.0)
            out = tmp_path / "out"
            found = run("predict", model, parts, "-o", out, "--scheduler", address, status=1)
            assert "warning: there are no workers; waiting 1 s for some\n" in found.said
            assert f"the scheduler has no workers; start some:  dask worker {address}" in found.said
            assert "parts        5: 0 done, 5 left\n" in found.output
        finally:
            process.kill()
