"""Grids: the same bits whatever happens to them, and nothing averaged that should not be."""

import importlib.util
import random
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from grids import BASE, SMALL, Inline, bits, grid, started, undisturbed

import benign_ref as br
from benign_ref.experiments.cell import Cell, run_cell, streams
from benign_ref.experiments.grid import PhaseDiagram, phase_diagram
from benign_ref.runtime import resume


@pytest.mark.parametrize("base", [BASE, BASE.replace(noise="full", init="uniform", extra_steps=3, d_h=60)])
@pytest.mark.parametrize("N, n_test", [(3, 50), (4, 70), (1, 51)])
def test_a_cell_is_the_public_functions_on_spawned_streams(base, N, n_test):
    s = base.replace(snr=2.5, N=N)
    words = [0, N, *(int(w) for w in np.array([2.5]).view(np.uint32)[::-1])]  # the upper word first
    key = np.random.SeedSequence(entropy=5, spawn_key=words)
    for_data, for_start, for_test = map(np.random.default_rng, key.spawn(3))
    run = br.train(s, br.sample_dataset(s, for_data), br.init_parameters(s, for_start), engine="proof")
    fresh = br.sample_dataset(s, for_test, n_test)
    assert n_test % 2 or fresh.y.sum() == 0  # half of each label
    got = run_cell(2.5, N, 5, base=base.replace(snr=1.0, N=7), engine="proof", n_test=n_test)
    assert got[:2] == ("converged", run.steps) and np.isclose(got.train_loss, run.losses[-1], rtol=1e-9)
    assert np.isclose(got.test_loss, br.test_loss(run.parameters, fresh.X, fresh.y), rtol=1e-9)
    assert got.error_rate == br.error_rate(run.parameters, fresh.X, fresh.y)


def test_a_cell_of_the_law_engine_is_train_in_law_on_the_same_streams():
    from benign_ref.derived.law import train_in_law

    s = BASE.replace(snr=8.0, N=3)
    run = train_in_law(s, streams(8.0, 3, 5)[0])
    fresh = [f(50, streams(8.0, 3, 5)[2]) for f in (run.test_loss, run.error_rate)]
    assert run_cell(8.0, 3, 5, base=BASE, engine="law", n_test=50) == (
        "converged",
        run.steps,
        run.losses[-1],
        *fresh,
    )


def test_no_two_cells_share_a_stream():
    places = [
        (snr, N, seed)
        for snr in (1.0, 2.0, np.nextafter(1.0, 2.0), 5e-324, 1e300)
        for N in (1, 2, 2**32, 2**32 + 1)
        for seed in (0, 1)
    ]
    drawn = [rng.integers(2**62) for place in places for rng in streams(*place)]
    assert len(set(drawn)) == 3 * len(places)


GOLDEN = {
    "1": ("converged", 179, 0.04976376808886318, 0.1822789272717416, 0.0),
    "2": ("converged", 185, 0.049785707674495736, 0.2066723523125893, 0.0),
    "3": ("converged", 185, 0.04978570767449582, 0.20667235231258954, 0.0),
}  # MATHEMATICS: what a cell gave then


def test_the_numbers_of_a_cell_are_those_of_this_MATHEMATICS():
    """If this fails although nothing is wrong, the numbers were changed on purpose: raise MATHEMATICS, so
    that no store mixes them.
    """
    got = run_cell(8.0, 3, 0, base=BASE.replace(epsilon=0.05), engine="proof", n_test=50)
    status, steps, *numbers = GOLDEN[resume.MATHEMATICS]
    assert got[:2] == (status, steps) and np.allclose(got[2:], numbers, rtol=1e-8)


def test_one_job_two_jobs_and_any_executor_give_the_same_bits():
    assert (undisturbed().status == "converged").all() and len(set(undisturbed().test_loss.ravel())) == 27
    assert bits(grid(jobs=1)) == bits(undisturbed())
    assert bits(grid(executor=Inline())) == bits(undisturbed())
    if importlib.util.find_spec("distributed"):
        from distributed import Client, LocalCluster

        with (
            LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
            ) as cluster,
            Client(cluster) as client,
        ):
            result = grid(executor=client.get_executor(pure=False))
            assert len(client.scheduler_info()["workers"]) == 2
    else:
        with ThreadPoolExecutor(2) as pool:
            result = grid(executor=pool)
            assert pool.submit(int, 7).result() == 7  # not shut down
    assert bits(result) == bits(undisturbed())


def test_extended_and_reordered_grids_have_the_same_cells(tmp_path):
    part = phase_diagram(
        [20.0, 2.0], [4], base=BASE, seeds=[2, 0], n_test=50, store=tmp_path, executor=Inline()
    )
    assert (part.test_loss == undisturbed().test_loss[[2, 0]][:, [2]][:, :, [2, 0]]).all()
    whole = grid(tmp_path, executor=Inline())
    assert (whole.computed, whole.reused, part.computed, part.reused) == (23, 4, 4, 0)
    assert bits(whole) == bits(undisturbed())


def test_a_base_that_differs_only_where_cells_do_not_look_is_the_same(tmp_path):
    first = phase_diagram([2.0], [2], store=tmp_path, executor=Inline(), **SMALL)
    other = SMALL | {"base": SMALL["base"].replace(N=77, snr=3.0)}
    assert (
        phase_diagram([2.0], [2], store=tmp_path, executor=Inline(), **other).reused == 2
        and first.computed == 2
    )


def test_killed_twice_then_resumed_equals_undisturbed_bit_for_bit(tmp_path):
    moments, kept = random.Random(time.time_ns()), [0]
    for _ in range(2):
        with started("grids.grid(sys.argv[1], jobs=1)", tmp_path) as process:
            while len(list(tmp_path.glob("cells/*.json"))) <= kept[-1] and process.poll() is None:
                time.sleep(0.005)
            time.sleep(moments.uniform(0, 0.25))
            process.kill()
            process.communicate(timeout=20)
        kept.append(len(list(tmp_path.glob("cells/*.json"))))
    assert 0 < kept[1] < 27  # it was in the middle
    result = grid(tmp_path, jobs=1)
    assert result.computed == 27 - kept[-1]
    assert bits(result) == bits(undisturbed())


def test_two_grids_started_at_once_on_one_store_both_end_right(tmp_path):
    command, folder = "grids.grid(sys.argv[1], jobs=1).save(sys.argv[2])", tmp_path / "store"
    files = [tmp_path / "0.npz", tmp_path / "1.npz"]
    with started(command, folder, files[0]) as first, started(command, folder, files[1]) as second:
        for process in (first, second):
            _, told = process.communicate(timeout=60)
            assert process.returncode == 0, told
    assert all(bits(PhaseDiagram.load(file)) == bits(undisturbed()) for file in files)
    assert not list(tmp_path.rglob("*.tmp"))


def test_lost_cells_are_marked_left_out_of_means_and_computed_by_a_second_run(tmp_path, capsys):
    gone = Cell(2.0, 3, 1)
    first = phase_diagram(
        [2.0], [2, 3], store=tmp_path, executor=Inline(loses=lambda task: task == gone), **SMALL
    )
    assert first.status.tolist() == [[["converged"] * 2, ["converged", "lost"]]]
    assert (
        np.isnan(first.test_loss[0, 1, 1])
        and first.mean()[0, 1] == first.test_loss[0, 1, 0]
        and np.isnan(first.spread()[0, 1])
    )
    told = capsys.readouterr().err
    assert (
        f"{gone} was lost: OSError: the node is gone" in told
        and "computed 3, reused 0" in told
        and "1 were lost" in told
    )
    again = Inline()
    second = phase_diagram([2.0], [2, 3], store=tmp_path, executor=again, **SMALL)
    assert (
        again.tasks == [gone]
        and (second.status == "converged").all()
        and (second.computed, second.reused) == (1, 3)
    )
    with pytest.raises(
        RuntimeError,
        match="all cells that were to be computed were lost, 4 of them: OSError: the node is gone",
    ):
        phase_diagram([2.0], [2, 3], executor=Inline(loses=lambda task: True), **SMALL)


def test_divergence_and_lack_of_convergence_are_results_and_enter_no_mean():
    s = SMALL["base"].replace(eta=0.001, max_steps=100, epsilon=0.4)
    result = phase_diagram([20.0, 1e160, 0.5], [2], base=s, seeds=2, n_test=20, executor=Inline())
    assert result.status[:, 0, 0].tolist() == ["converged", "diverged", "not converged"]
    assert (
        result.steps[2, 0, 0] == 100
        and result.train_loss[2, 0, 0] > 0.4
        and not np.isfinite(result.train_loss[1, 0, 0])
    )
    assert 0 < result.steps[1, 0, 0] < 100
    assert (
        np.isfinite(result.mean()[0, 0])
        and np.isnan(result.mean()[1:]).all()
        and np.isnan(result.test_loss[1:]).all()
    )
    assert result.not_ended[:, 0, 0].tolist() == [False, True, True]
    assert repr(result).startswith(
        "PhaseDiagram(3 SNR x 1 N x 2 seeds, engine='proof': 2 converged, 2 not converged, 2 diverged; "
        "test loss 0."
    )


@pytest.mark.parametrize(
    "axes",
    [
        {"snrs": [2.0, 3, 2]},
        {"Ns": (2, 3, 2)},
        {"seeds": [1, 1]},
        {"seeds": 10**7 + 1},
        {"Ns": range(2, 2**40)},
        {"seeds": 0},
        {"snrs": []},
    ],
)
def test_axes_with_repetitions_without_entries_or_without_end_are_refused(axes):
    with pytest.raises(ValueError, match=next(iter(axes))):
        phase_diagram(**{"snrs": [2.0], "Ns": [2], **SMALL, **axes}, executor=Inline())


@pytest.mark.parametrize("axes, name", [({"Ns": range(2, 2**40)}, "Ns"), ({"seeds": 10**7 + 1}, "seeds")])
def test_a_grid_that_is_too_large_is_refused_before_any_of_its_numbers_is_looked_at(axes, name):
    with pytest.raises(ValueError, match=f"^{name} must hold at least one number, and the grid at most"):
        phase_diagram(**{"snrs": ["no number"], "Ns": [2], **SMALL, **axes})


def test_an_executor_has_its_own_workers():
    with pytest.raises(ValueError, match="^jobs must be None when an executor is given, .* got 2$"):
        phase_diagram([2.0], [2], jobs=2, executor=Inline(), **SMALL)
    with pytest.raises(TypeError, match="^executor must have a method submit"):
        phase_diagram([2.0], [2], executor=Inline, **SMALL)


def test_progress_is_told_of_every_cell():
    heard = []
    result = phase_diagram(
        [2.0], [2, 3], executor=Inline(), progress=lambda *what: heard.append(what), **SMALL
    )
    assert [what[:2] for what in heard] == [(k, 4) for k in range(5)] and heard[0][2] is None
    assert sorted(what[2].test_loss for what in heard[1:]) == sorted(result.test_loss.ravel())
    order = Inline()
    phase_diagram([2.0, 3.0], [2, 4, 3], executor=order, **SMALL)
    assert {task.N for task in order.tasks[:3]} == {
        2,
        3,
        4,
    }  # what cells cost is learned from all over the grid
    assert [task.N for task in order.tasks[6:]] == [4] * 2 + [3] * 2 + [2] * 2  # then the longest first


def test_a_grid_of_the_published_experiment_is_its_cells(tmp_path):
    base = br.published_setting("figure1", N=10, mu=20.0)
    snr = br.published_setting("figure1", N=4, mu=90.0).snr
    result = phase_diagram([snr], [4], base=base, seeds=2, n_test=100, jobs=1, store=tmp_path / "store")
    assert (
        (result.status == "converged").all()
        and (result.steps <= 20).all()
        and (result.train_loss < 0.01).all()
    )
    s = br.published_setting("figure1", N=4, mu=90.0)
    for_data, for_start, _ = streams(snr, 4, 1)
    run = br.train(s, br.sample_dataset(s, for_data), br.init_parameters(s, for_start), engine="parameters")
    assert run.steps == result.steps[0, 0, 1] and np.isclose(
        run.losses[-1], result.train_loss[0, 0, 1], rtol=1e-8
    )
    assert run.losses[-2] <= s.epsilon < run.losses[-3]  # one step more than the first loss <= epsilon
    assert result.settings["noise"] == "full" and result.settings["extra_steps"] == 1


def test_a_grid_in_law_refuses_a_uniform_start_before_any_work():
    base = br.published_setting("figure1", N=10, mu=20.0)
    with pytest.raises(ValueError, match="^init must be 'gaussian' to draw in law"):
        phase_diagram([3.0], [4], base=base, seeds=1, engine="law")
