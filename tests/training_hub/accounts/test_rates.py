"""How often anybody may ask: counted per window, forgotten after it, bounded whoever asks."""

from training_hub.accounts.rates import Rates, Window
from training_hub.config.accounts import AccountsSection


def test_one_too_many_waits_for_the_windows_end_and_others_do_not() -> None:
    now_s = 100.0
    rates = Rates(AccountsSection(gateway_per_minute=10), lambda: now_s)
    assert [rates.gateway(1) for _ in range(10)] == [0] * 10
    now_s = 130.5
    assert rates.gateway(1) == 30
    assert rates.gateway(2) == rates.person(1) == rates.login("1") == 0
    now_s = 160.0
    assert rates.gateway(1) == 0


def test_keys_whose_window_is_over_are_forgotten() -> None:
    window = Window(5)
    for number in range(100_000):
        window.wait_s(f"address {number}", number / 100.0)
    assert len(window) < 20_000
    assert window.wait_s("address 99999", 1000.0) == 0.0
