import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.sampling.process import FLOW, VE, noise_to_signal

levels = st.floats(0.01, 0.99)


@pytest.mark.parametrize("process", [VE, FLOW])
@given(sigma=levels)
def test_half_log_snr_and_sigma_are_inverse(process, sigma):
    s = torch.tensor(sigma, dtype=torch.float64)
    assert process.sigma(process.half_log_snr(s)).item() == pytest.approx(sigma)
    assert process.half_log_snr(s).item() == pytest.approx((process.alpha(s) / s).log().item(), abs=1e-9)
    assert noise_to_signal(process, s).item() == pytest.approx((s / process.alpha(s)).item())


@pytest.mark.parametrize("process", [VE, FLOW])
@given(sigma=levels, part=st.floats(0.05, 0.95), eta=st.floats(0.0, 1.0))
def test_an_ancestral_step_ends_at_the_next_level(process, sigma, part, eta):
    """The signal's share and the noise's variance come out as the process has them at sigma_next."""
    s, s_next = (torch.tensor(v, dtype=torch.float64) for v in (sigma, sigma * part))
    down, scale, up = process.ancestral(s, s_next, eta)
    assert down <= s_next * (1 + 1e-9)
    assert (process.alpha(down) * scale).item() == pytest.approx(process.alpha(s_next).item())
    assert ((down * scale) ** 2 + up**2).item() == pytest.approx(s_next.item() ** 2)


@pytest.mark.parametrize("process", [VE, FLOW])
def test_without_eta_nothing_is_renewed(process):
    step = process.ancestral(torch.tensor(0.8), torch.tensor(0.4), 0.0)
    assert [v.item() for v in step] == pytest.approx([0.4, 1.0, 0.0], abs=1e-6)


def test_flow_levels_at_one_stay_finite():
    assert torch.isfinite(FLOW.half_log_snr(torch.tensor(1.0)))


@pytest.mark.parametrize("process", [VE, FLOW])
def test_a_finished_latent_starts_again_where_it_stopped(process):
    x, sigma = torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(0)), torch.tensor(0.3)
    again = process.start(process.finish(x, sigma), torch.zeros_like(x), sigma, full=False)
    torch.testing.assert_close(again, x)
