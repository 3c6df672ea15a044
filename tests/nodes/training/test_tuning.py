import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.sampling.noise_levels import stable_diffusion
from nodes.sampling.prediction import Inputs
from nodes.training.tuning import LOSSES, OPTIMIZERS, Examples, Settings, Tuning

SETTINGS = Settings(batch=2, accumulation=1, rate=0.05, optimizer="AdamW", loss="MSE", seed=3)


def examples(count: int = 3, tokens: Sequence[int] = (1,)) -> Examples:
    """Latents whose context says which they are."""
    latents = torch.arange(1.0, count + 1).view(-1, 1, 1, 1).repeat(1, 4, 2, 2)
    inputs = [{"context": torch.full((1, tokens[place % len(tokens)], 1), place + 1.0)} for place in range(count)]
    return Examples(latents, inputs, "eps", stable_diffusion())


class Net:
    """A network of one number that keeps what it was asked."""

    def __init__(self) -> None:
        self.gain = nn.Parameter(torch.zeros(()))
        self.seen: list[Tensor] = []

    def __call__(self, x: Tensor, timestep: Tensor, inputs: Inputs) -> Tensor:
        self.seen.append(inputs["context"][:, 0, 0])
        return self.gain * x

    def places(self) -> list[int]:
        return [int(place) for each in self.seen for place in each]


def test_every_example_is_seen_once_before_one_is_seen_again() -> None:
    net = Net()
    tuning = Tuning(net, [net.gain], examples(3), SETTINGS)
    for number in range(6):
        tuning.step(number)
    places = net.places()
    assert [sorted(places[at : at + 3]) for at in range(0, 12, 3)] == [[1, 2, 3]] * 4
    assert len({tuple(places[at : at + 3]) for at in range(0, 12, 3)}) > 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_it_learns(optimizer: str, loss: str) -> None:
    """The noise is most of what is seen, so a gain near 1 predicts it."""
    net = Net()
    settings = replace(SETTINGS, optimizer=optimizer, loss=loss, batch=8)  # type: ignore[arg-type]
    tuning = Tuning(net, [net.gain], examples(2), settings)
    losses = [tuning.step(number) for number in range(40)]
    assert net.gain > 0.1 and all(math.isfinite(each) for each in losses)


def test_a_step_depends_on_its_number_and_the_seed_alone() -> None:
    def last(numbers: Sequence[int], seed: int = 3) -> float:
        net = Net()
        tuning = Tuning(net, [net.gain], examples(), replace(SETTINGS, rate=1e-7, seed=seed))
        return [tuning.step(number) for number in numbers][-1]

    assert last([5]) == pytest.approx(last([0, 1, 2, 3, 4, 5]), abs=1e-5)
    assert last([5]) != pytest.approx(last([5], seed=4), abs=1e-5)


def test_batches_that_are_gathered_are_one_large_batch() -> None:
    """The gradient is the mean of theirs, so two small steps go twice as far; groups of one batch count alike."""
    gains, losses = [], []
    for tokens in ((1,), (1, 2)):
        net = Net()
        tuning = Tuning(net, [net.gain], examples(4, tokens), replace(SETTINGS, optimizer="SGD", accumulation=2))
        losses.append(tuning.step(0))
        gains.append(net.gain.item())
        assert sorted(net.places()) == [1, 2, 3, 4]
        one = Net()
        single = Tuning(one, [one.gain], examples(4, tokens), replace(SETTINGS, optimizer="SGD"))
        single.step(0), single.step(1)
        assert 2 * net.gain.item() == pytest.approx(one.gain.item(), rel=0.1)
    assert gains[0] == pytest.approx(gains[1]) and losses[0] == pytest.approx(losses[1])


def test_a_loss_that_is_no_number_ends_it() -> None:
    net, broken = Net(), examples()
    broken.latents[:] = math.inf
    with pytest.raises(ModelError, match="no longer a number after 7 steps") as caught:
        Tuning(net, [net.gain], broken, SETTINGS).step(7)
    assert "learning rate" in str(caught.value.hint) and net.gain == 0


def test_it_records_gradients_where_none_are_recorded() -> None:
    net = Net()
    with torch.no_grad():
        Tuning(net, [net.gain], examples(), SETTINGS).step(0)
        assert not torch.is_grad_enabled()
    assert net.gain != 0
