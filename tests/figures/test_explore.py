"""explore.html in a browser, by what its DOM says after a cell was chosen through the address."""

import re
import shutil
import subprocess

import pytest

from benign_ref.derived.limit_run import train_in_limit
from benign_ref.experiments.published import published_setting
from figures import explore
from figures.common import Options

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
OURS = {"10": "917 ± 13"}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page on every tenth ||mu|| of the published plane."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore, "MUS", tuple(range(10, 101, 10)))
        folder = tmp_path_factory.mktemp("page")
        return explore.write(folder / "explore.html", Options(folder, jobs=1), OURS)


@pytest.fixture(scope="module")
def ask(page, tmp_path_factory):
    """ask(address): the DOM's texts by id, after the browser opened the page there."""
    if BROWSER is None:
        pytest.skip("no chromium on this machine: the page is not tested in a browser")
    profile = tmp_path_factory.mktemp("profile")

    def dom(address):
        command = [
            BROWSER,
            *QUIET.split(),
            f"--user-data-dir={profile}",
            "--dump-dom",
            f"{page.as_uri()}{address}",
        ]
        text = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.decode("utf-8")
        return dict(
            re.findall(
                r'<\w+[^>]* id="(\w+)"[^>]*>([^<]*)<', text.split('<script type="application/json"')[0]
            )
        )

    return dom


@pytest.mark.parametrize(
    "address, N, mu",
    [
        ("#N=10&snr=9.4", 10, 60),  # the nearest cell
        ("#N=2&snr=0", 2, 10),  # the corners, and beyond them
        ("#N=1e9&snr=99", 20, 100),
    ],
)
def test_an_address_chooses_the_nearest_cell_and_its_run_is_the_limit_s(ask, address, N, mu):
    dom = ask(address)
    run = train_in_limit(published_setting("figure1", N=N, mu=float(mu)))
    side = "benign" if run.test_loss <= 0.2 else "harmful"
    assert dom["words"].startswith(f"N = {N}, SNR = ") and f"= {mu}: {side} overfitting" in dom["words"]
    assert float(dom["test"]) == float(f"{run.test_loss:.3g}") and int(dom["at"]) == run.steps
    assert abs(float(dom["S0"]) - run.attention["ss"]) <= 5e-4 and float(dom["V0"]) == float(f"{run.V_s:.3g}")
    assert dom["ours"] == (OURS["10"] if N == 10 else "not computed in this run")
    assert dom["authors"] == ("916 ± 13" if N == 10 else "none in nine rows of ten" if N == 2 else "995 ± 8")


@pytest.mark.parametrize("mu, side", [(40, "harmful"), (60, "benign")])
def test_the_words_of_a_cell_say_on_which_side_of_the_boundary_it_lies(page, mu, side):
    """The page shows them as they are."""
    words = explore.cell(20, mu)["words"]
    assert words.startswith("N = 20, SNR = ") and f"= {mu}: {side} overfitting" in words
    assert words in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("address", ["", "#N=ten&snr=9"])
def test_any_other_address_shows_a_cell_and_says_so(ask, address):
    dom = ask(address)
    assert dom["words"].startswith("N = 10, ") and ("names no cell" in dom["notice"]) == bool(address)


def test_the_page_asks_nobody(page):
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s'\"<]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert "<link" not in text and not re.search(r"\b(fetch|import|XMLHttpRequest|WebSocket)\b\s*\(", text)
