from training_hub.training.architecture import Architecture, Block


def test_the_shipped_net_keeps_its_budget() -> None:
    net = Architecture()
    assert net.macs(labels=200) <= 12_000_000
    assert net.parameters(labels=200) <= 350_000


def test_counts_of_a_net_small_enough_to_count_by_hand() -> None:
    net = Architecture(frames=4, bands=8, stem_channels=2, stem_kernel=2, blocks=(Block(3, 2),), embedding=5)
    assert net.reduced == (1, 2)
    assert net.flat == 2 * 3 * 2
    # stem 8 places x 4 taps x 2; depthwise 2 places x 2 x 16; pointwise 2 x 2 x 3; dense 12 x 5; logits 5 x 7
    assert net.macs(labels=7) == 64 + 64 + 12 + 60 + 35
    assert net.parameters(labels=7) == (8 + 2) + (32 + 2) + (6 + 3) + (60 + 5) + (35 + 7)
