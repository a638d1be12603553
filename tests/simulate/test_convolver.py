from __future__ import annotations

import numpy as np

from edge_agent.simulate.convolver import OverlapAdd


def test_blocks_give_the_convolution_of_the_whole() -> None:
    taps, blocks = 64, 5
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((2, taps * blocks)).astype(np.float32)
    firs = rng.standard_normal((2, taps))
    responses = [np.fft.rfft(fir, 2 * taps).astype(np.complex64) for fir in firs]
    inputs[1, : 2 * taps] = 0  # an input may come and go: it is not even added while it is silent
    convolver, out = OverlapAdd(taps), []
    for k in range(blocks):
        for path in range(2):
            block = inputs[path, k * taps : (k + 1) * taps]
            if block.any():
                convolver.add(block, responses[path])
        out.append(convolver.take())
    expected = sum(np.convolve(x.astype(float), fir) for x, fir in zip(inputs, firs, strict=True))[: taps * blocks]
    np.testing.assert_allclose(np.concatenate(out), expected, atol=1e-4)
