import os

import numpy as np
import pytest

from training_hub.training.architecture import Architecture, Block

torch = pytest.importorskip("torch", reason="needs the train extra")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("keras", reason="needs the train extra")

from training_hub.training.keras_net import build_keras_net  # noqa: E402  # after the skips
from training_hub.training.torch_net import TorchNet  # noqa: E402

pytestmark = pytest.mark.train

NETS = {
    "shipped": Architecture(),
    "small": Architecture(stem_channels=4, stem_kernel=4, blocks=(Block(6), Block(8, 2), Block(5)), embedding=7),
}


@pytest.mark.parametrize("name", NETS)
def test_both_builders_compute_the_same(name: str) -> None:
    torch.manual_seed(0)
    architecture = NETS[name]
    net = TorchNet(architecture, 9, torch.device("cpu"))
    patches = torch.randn(32, 64, 128)
    net(patches)  # moves the running statistics away from 0 and 1
    for layer in net.module["trunk"]:
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.uniform_(layer.bias, -0.5, 0.5)
    net.module.eval()
    with torch.inference_mode():
        embedding, logits = net(patches[:4])
    model = build_keras_net(architecture, 9)
    model.set_weights(net.keras_weights())
    outputs = model.predict(patches[:4].numpy()[..., None], verbose=0)
    np.testing.assert_allclose(outputs["embedding"], embedding.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(outputs["logits"], logits.numpy(), rtol=1e-3, atol=1e-4)
    assert np.abs(embedding.numpy()).max() > 0.05


@pytest.mark.parametrize("name", NETS)
def test_counted_parameters_are_those_of_the_folded_net(name: str) -> None:
    architecture = NETS[name]
    net = TorchNet(architecture, 9, torch.device("cpu"))
    folded = sum(p.numel() for p in net.module.parameters())  # a norm's weight folds away, its bias stays
    folded -= sum(layer.num_features for layer in net.module["trunk"] if isinstance(layer, torch.nn.BatchNorm2d))
    assert architecture.parameters(9) == folded
