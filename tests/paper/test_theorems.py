"""T1 and T2 as statements and as numbers."""

from math import isclose

import pytest

import benign_ref as br
from benign_ref.paper.theorems import ORDERS, SYMBOLS, T1, T2, quantities


def test_the_statements_say_the_orders():
    assert "T = Theta(epsilon^-1 eta^-1 ||w_O||^-2 ||mu||^-2)" in str(T1) and "L_D = o(1)" in str(T1)
    assert "T = Theta(epsilon^-1 eta^-1 ||w_O||^-2 N (sigma_p^2 d)^-1)" in str(T2) and "Theta(1)" in str(T2)
    changed = T2._replace(orders={**T2.orders, "N": 4 / 3})
    assert "N^1.33333" in str(changed)
    assert all(tuple(orders) == tuple(SYMBOLS) for orders in ORDERS.values())


def test_the_order_of_T_is_the_product_written_out():
    s = br.Setting(N=6, snr=5.0, sigma_p=0.3, d=100, w_O_norm=2.0, eta=0.07, epsilon=0.02)
    assert isclose(T1.order(s), 1 / (0.07 * 0.02 * 4 * (5 * 3) ** 2))
    assert isclose(T2.order(s), 6 / (0.07 * 0.02 * 4 * 9))
    assert quantities(s)["mu"] == s.mu_norm


@pytest.mark.parametrize("name, factor", [("eta", 3.0), ("epsilon", 0.5), ("w_O_norm", 1.7)])
def test_the_order_moves_by_its_exponent(name, factor):
    s = br.Setting()
    s = s.replace(**{n: getattr(s, n) for n in ("sigma_p", "C_p", "eta", "sigma_h", "sigma_V")})
    power = -2 if name == "w_O_norm" else -1
    for theorem in (T1, T2):
        moved = theorem.order(s.replace(**{name: factor * getattr(s, name)}))
        assert isclose(moved / theorem.order(s), factor**power)
