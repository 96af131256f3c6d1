"""Grids of baselines: what is trained, resumed, recorded as failed, chosen and collected."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from mrtc.architectures import ConvConfig
from mrtc.errors import DivergenceError, MrtcError, OutputError
from mrtc.experiments import RunConfig
from mrtc.experiments import stacks as stacks_module
from mrtc.experiments import tasks as tasks_module
from mrtc.experiments.baselines import choose_learning_rate, run_baselines
from mrtc.experiments.execute import one_after_another
from mrtc.experiments.grid import baseline_tasks, grid_folder, is_done, multirate_tasks
from mrtc.experiments.presets import baseline
from mrtc.experiments.stacks import in_stacks
from mrtc.experiments.tasks import Outcome, Protocol, Task
from mrtc.results import read, read_runs
from mrtc.training import Checkpoint
from mrtc.vae import VAE

BETAS, SEEDS = (0.5, 4.0), (0, 1)


def silent(tasks: Sequence[Task]) -> Iterator[Outcome]:
    return one_after_another(tasks, quiet=True)


def make(config: RunConfig, out: Path, protocol: Protocol, **options: object):
    arguments = {"betas": BETAS, "seeds": SEEDS, "executor": silent, "quiet": True} | options
    return run_baselines(config, out, protocol=protocol, **arguments)


def test_a_task_survives_its_way_to_another_process(
    tiny: RunConfig, folder: Path, protocol: Protocol
) -> None:
    for task in (
        *baseline_tasks(tiny, folder, BETAS, SEEDS, protocol),
        *multirate_tasks(tiny, folder, BETAS, SEEDS, replace(protocol, metrics=("info_m",))),
    ):
        assert Task.from_json(task.to_json()) == task


def test_baselines_are_the_same_architecture_without_gates(
    tiny: RunConfig, folder: Path, protocol: Protocol
) -> None:
    for task in baseline_tasks(tiny, folder, BETAS, SEEDS, protocol):
        config = task.config
        assert config.betas.low == config.betas.high == task.betas[0]
        assert config.model == replace(tiny.model, gated="none")
        assert config.training == tiny.training
        assert config.objective == replace(tiny.objective, groups=1)


def test_every_run_is_in_the_file(tiny: RunConfig, tmp_path: Path, protocol: Protocol) -> None:
    out = tmp_path / "b.h5"
    runs = make(tiny, out, protocol)
    assert runs.has_value().all()
    assert runs.beta.tolist() == list(BETAS)
    assert runs.seed.tolist() == list(SEEDS)
    assert (runs.cost["steps"] == 5).all()
    assert (runs.cost["seconds"] > 0).all()
    one = read(tmp_path / "b.runs" / "beta4-seed1.h5")
    assert read_runs(out).value("mig_chen")[1, 1] == one.metric("mig_chen")[0]
    assert one.config["seed"] == 1
    assert one.config["betas"] == {"low": 4.0, "high": 4.0}


def test_what_is_done_is_not_done_again(
    tiny: RunConfig, tmp_path: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, started = tmp_path / "b.h5", []
    perform = tasks_module.perform

    def stopping(task: Task, *, quiet: bool = True) -> None:
        if len(started) == 2:
            raise KeyboardInterrupt
        started.append(task.name)
        perform(task, quiet=quiet)

    monkeypatch.setattr(tasks_module, "perform", stopping)
    with pytest.raises(KeyboardInterrupt):
        make(tiny, out, protocol)
    assert not out.exists()
    with pytest.raises(OutputError, match="--resume"):
        make(tiny, out, protocol)
    first = Checkpoint.load(tmp_path / "b.runs" / f"{started[0]}.pt").fingerprint()

    rest = []

    def counting(task: Task, *, quiet: bool) -> None:
        rest.append(task.name)
        perform(task, quiet=quiet)

    monkeypatch.setattr(tasks_module, "perform", counting)
    assert make(tiny, out, protocol, resume=True).has_value().all()
    assert len(started + rest) == len(set(started + rest)) == 4
    assert Checkpoint.load(tmp_path / "b.runs" / f"{started[0]}.pt").fingerprint() == first


def test_a_failed_run_is_recorded_and_tried_again(
    tiny: RunConfig, tmp_path: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, perform = tmp_path / "b.h5", tasks_module.perform

    def failing(task: Task, *, quiet: bool = True) -> None:
        if task.name == "beta4-seed0":
            raise DivergenceError("the objective is not finite at step 3")
        if task.name == "beta4-seed1":
            raise MemoryError
        perform(task, quiet=quiet)

    monkeypatch.setattr(tasks_module, "perform", failing)
    runs = make(tiny, out, protocol)
    assert runs.failures[0, 4.0] == "the objective is not finite at step 3"
    assert "out of memory" in runs.failures[1, 4.0]
    assert runs.has_value().tolist() == [[True, False], [True, False]]
    assert read_runs(out).failures == runs.failures
    note = tmp_path / "b.runs" / "beta4-seed0.failed"
    assert note.read_text() == runs.failures[0, 4.0]

    monkeypatch.setattr(tasks_module, "perform", perform)
    assert not make(tiny, out, protocol, resume=True).failures
    assert not note.exists()


def test_an_error_of_the_program_is_not_a_failed_run(
    tiny: RunConfig, tmp_path: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(task: Task, *, quiet: bool) -> None:
        raise TypeError(task.name, quiet)

    monkeypatch.setattr(tasks_module, "perform", broken)
    with pytest.raises(TypeError):
        make(tiny, tmp_path / "b.h5", protocol)


def test_if_all_fail_there_is_no_file(tiny: RunConfig, tmp_path: Path, protocol: Protocol) -> None:
    def all_fail(tasks: Sequence[Task]) -> Iterator[Outcome]:
        return (Outcome(task, "no luck") for task in tasks)

    with pytest.raises(MrtcError, match=r"all 4 runs failed; the first, beta0\.5-seed0: no luck"):
        make(tiny, tmp_path / "b.h5", protocol, executor=all_fail)
    assert not (tmp_path / "b.h5").exists()


def test_a_folder_of_other_runs_is_left_alone(
    tiny: RunConfig, tmp_path: Path, protocol: Protocol
) -> None:
    out = tmp_path / "b.h5"
    make(tiny, out, protocol, betas=(1.0,), seeds=(0,))
    other = replace(tiny, training=replace(tiny.training, steps=6))
    with pytest.raises(MrtcError, match=r"run\.training\.steps was 5, now 6"):
        make(other, out, protocol, betas=(1.0,), seeds=(0,), resume=True)
    with pytest.raises(MrtcError, match=r"evaluation\.examples was 200, now 300"):
        make(tiny, out, replace(protocol, examples=300), resume=True)
    again = make(other, out, protocol, betas=(1.0,), seeds=(0,), force=True)
    assert again.cost["steps"].tolist() == [[6.0]]
    with (
        FileLock(tmp_path / "b.runs" / "grid.lock"),
        pytest.raises(OutputError, match="another process works in"),
    ):
        make(other, out, protocol, resume=True)


def test_a_folder_of_an_older_version_is_gone_on_with(
    tiny: RunConfig, folder: Path, protocol: Protocol
) -> None:
    """Entries that its configuration has not yet are taken for their defaults."""
    with grid_folder(folder, tiny, protocol):
        pass
    written = json.loads((folder / "grid.json").read_text())
    assert written["run"]["objective"].pop("rate_schedule") == "constant"
    (folder / "grid.json").write_text(json.dumps(written))
    with grid_folder(folder, tiny, protocol, resume=True):
        pass
    other = replace(tiny, objective=replace(tiny.objective, balance=0.5))
    with (
        pytest.raises(MrtcError, match=r"run\.objective\.balance was None, now 0\.5"),
        grid_folder(folder, other, protocol, resume=True),
    ):
        pass


def test_scores_may_be_added_later(tiny: RunConfig, tmp_path: Path, protocol: Protocol) -> None:
    out = tmp_path / "b.h5"
    one = {"betas": (1.0,), "seeds": (0,)}
    assert "modularity" not in make(tiny, out, protocol, **one).values
    more = make(tiny, out, replace(protocol, metrics=("modularity",)), resume=True, **one)
    assert np.isfinite(more.value("modularity")).all()


def test_the_learning_rate_of_the_best_elbo_is_chosen(
    tiny: RunConfig, folder: Path, protocol: Protocol
) -> None:
    rates = (1e-6, 3e-2)  # the first learns nothing
    longer = replace(tiny, training=replace(tiny.training, steps=60))
    folder.mkdir()
    at_one = baseline(longer, 1.0)
    chosen = choose_learning_rate(at_one, folder, rates, protocol, silent, quiet=True)
    elbo = [read(folder / f"baselines-lr{rate:g}.h5").metric("elbo")[0] for rate in rates]
    assert elbo[1] > elbo[0]
    assert chosen.training.learning_rate == 3e-2
    assert replace(chosen, training=longer.training) == at_one


def test_stacked_runs_are_those_of_separate_ones(
    tiny: RunConfig, tmp_path: Path, protocol: Protocol
) -> None:
    one, two = (
        baseline_tasks(tiny, tmp_path / name, BETAS, SEEDS, protocol) for name in ("one", "two")
    )
    assert [outcome.reason for outcome in silent(one)] == [None] * 4
    assert {o.task.name for o in in_stacks(two, 3, quiet=True)} == {task.name for task in one}
    for separate, stacked in zip(one, two, strict=True):
        ours, theirs = read(stacked.results), read(separate.results)
        assert is_done(stacked)
        for name in ("rate", "distortion", "mig_chen"):
            np.testing.assert_allclose(ours.metric(name), theirs.metric(name), rtol=1e-4, atol=1e-6)


def test_runs_that_have_come_as_far_are_stacked_and_a_damaged_one_fails_alone(
    tiny: RunConfig, folder: Path, protocol: Protocol
) -> None:
    done, damaged, other, fresh = baseline_tasks(tiny, folder, BETAS, SEEDS, protocol)
    assert [outcome.reason for outcome in silent([done])] == [None]
    done.results.unlink()  # trained, and not evaluated: it stands at another step
    damaged.checkpoint.write_bytes(b"not a checkpoint")
    outcomes = {o.task.name: o.reason for o in in_stacks([done, damaged, other, fresh], 4)}
    assert outcomes.pop(damaged.name) is not None
    assert outcomes == {task.name: None for task in (done, other, fresh)}
    assert not is_done(damaged)


def test_quiet_is_quiet(
    tiny: RunConfig, tmp_path: Path, protocol: Protocol, capfd: pytest.CaptureFixture[str]
) -> None:
    one = {"betas": (1.0,), "seeds": (0,)}
    run_baselines(tiny, tmp_path / "b.h5", protocol=protocol, quiet=True, **one)
    assert capfd.readouterr() == ("", "")
    run_baselines(tiny, tmp_path / "c.h5", protocol=protocol, **one)
    assert "run 1 of 1: beta1-seed0" in capfd.readouterr().err


def test_only_runs_alike_are_stacked(
    tiny: RunConfig, folder: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A multi-rate run, and a baseline of another learning rate, are trained on their own."""
    other = replace(tiny, training=replace(tiny.training, learning_rate=1e-4))
    tasks = [
        *baseline_tasks(tiny, folder, BETAS, (0,), protocol),
        *multirate_tasks(tiny, folder, BETAS, (0,), protocol),
        *baseline_tasks(other, folder, (1.0,), (0,), protocol),
    ]
    stacks = []
    stacked = stacks_module.train_stacked

    def remembered(vaes: Sequence[VAE], *arguments: object, **options: object):
        stacks.append([vae.betas.low for vae in vaes])
        return stacked(vaes, *arguments, **options)

    monkeypatch.setattr(stacks_module, "train_stacked", remembered)
    assert {o.reason for o in in_stacks(tasks, 10, quiet=True)} == {None}
    assert stacks == [list(BETAS), [1.0]]
    assert all(is_done(task) for task in tasks)


def test_running_means_of_batch_normalisation_are_not_stacked(
    tiny: RunConfig, folder: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(tiny, model=ConvConfig(codes=4, design="chen"))
    tasks = baseline_tasks(config, folder, BETAS, (0,), protocol)
    alone: list[Task] = []

    def remembered(tasks: Sequence[Task], *, quiet: bool) -> Iterator[Outcome]:
        assert quiet
        alone.extend(tasks)
        return map(Outcome, tasks)

    monkeypatch.setattr(stacks_module, "one_after_another", remembered)
    assert [o.task for o in in_stacks(tasks, 10, quiet=True)] == alone == tasks
