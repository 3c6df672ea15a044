"""Choose a sampler and its settings."""

from typing import TYPE_CHECKING, Annotated, Literal

from engine.context import Context
from engine.node import Field, Widget, node
from nodes.choices import SamplerName
from nodes.lazy import lazy
from nodes.recipes import Model, Sampler

if TYPE_CHECKING:
    from nodes.models import levels
else:
    levels = lazy("nodes.models.levels")

CATEGORY = "sampling/custom_sampling/samplers"
Setting = Annotated[float, Field(ge=0.0, le=100.0), Widget(step=0.01, round=False)]
NoiseDevice = Literal["gpu", "cpu"]


@node("KSamplerSelect", category=CATEGORY)
def ksampler_select(*, sampler_name: SamplerName) -> Sampler:
    """Take a sampler with its usual settings."""
    return Sampler(sampler_name)


@node("SamplerEulerAncestral", category=CATEGORY)
def sampler_euler_ancestral(eta: Setting = 1.0, s_noise: Setting = 1.0) -> Sampler:
    """Euler steps that renew a part eta of the noise, as strongly as s_noise."""
    return Sampler("euler_ancestral", {"eta": eta, "s_noise": s_noise})


@node("SamplerEulerAncestralCFGPP", category=CATEGORY, display_name="SamplerEulerAncestralCFG++")
def sampler_euler_ancestral_cfg_pp(
    eta: Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.01, round=False)] = 1.0,
    s_noise: Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.01, round=False)] = 1.0,
) -> Sampler:
    """Ancestral Euler steps that go back up along the unguided noise."""
    return Sampler("euler_ancestral_cfg_pp", {"eta": eta, "s_noise": s_noise})


def check_version(version: str) -> str | None:
    """Say what is wrong with a version of CFG++ that no paper describes."""
    return None if version == "regular" else f"the version {version} is not supported, regular is"


@node(
    "SamplerEulerCFGpp",
    category="_for_testing",
    display_name="SamplerEulerCFG++",
    experimental=True,
    validate={"version": check_version},
)
def sampler_euler_cfg_pp(*, version: Literal["regular", "alternative"]) -> Sampler:
    """Euler steps that go back up along the unguided noise. The alternative version is not supported."""
    return Sampler("euler_cfg_pp")


@node("SamplerDPMPP_2S_Ancestral", category=CATEGORY)
def sampler_dpmpp_2s_ancestral(eta: Setting = 1.0, s_noise: Setting = 1.0) -> Sampler:
    """DPM-Solver++ with two stages a step and renewed noise."""
    return Sampler("dpmpp_2s_ancestral", {"eta": eta, "s_noise": s_noise})


@node("SamplerDPMPP_SDE", category=CATEGORY)
def sampler_dpmpp_sde(
    eta: Setting = 1.0, s_noise: Setting = 1.0, r: Setting = 0.5, *, noise_device: NoiseDevice
) -> Sampler:
    """DPM-Solver++ for the reverse SDE, with a second stage at the part r of each step."""
    return Sampler(_on(noise_device, "dpmpp_sde"), {"eta": eta, "s_noise": s_noise, "r": r})


@node("SamplerDPMPP_2M_SDE", category=CATEGORY)
def sampler_dpmpp_2m_sde(
    *,
    solver_type: Literal["midpoint", "heun"],
    eta: Setting = 1.0,
    s_noise: Setting = 1.0,
    noise_device: NoiseDevice,
) -> Sampler:
    """DPM-Solver++ for the reverse SDE, which remembers one step."""
    settings = {"solver_type": solver_type, "eta": eta, "s_noise": s_noise}
    return Sampler(_on(noise_device, "dpmpp_2m_sde"), settings)


@node("SamplerDPMPP_3M_SDE", category=CATEGORY)
def sampler_dpmpp_3m_sde(eta: Setting = 1.0, s_noise: Setting = 1.0, *, noise_device: NoiseDevice) -> Sampler:
    """DPM-Solver++ for the reverse SDE, which remembers two steps."""
    return Sampler(_on(noise_device, "dpmpp_3m_sde"), {"eta": eta, "s_noise": s_noise})


@node("SamplerDPMAdaptative", category=CATEGORY)
def sampler_dpm_adaptive(
    order: Annotated[int, Field(ge=2, le=3)] = 3,
    rtol: Setting = 0.05,
    atol: Setting = 0.0078,
    h_init: Setting = 0.05,
    pcoeff: Setting = 0.0,
    icoeff: Setting = 1.0,
    dcoeff: Setting = 0.0,
    accept_safety: Setting = 0.81,
    eta: Setting = 0.0,
    s_noise: Setting = 1.0,
) -> Sampler:
    """DPM-Solver that chooses its own steps by the error that it makes; a schedule only gives it both ends."""
    return Sampler(
        "dpm_adaptive",
        {
            "order": order,
            "rtol": rtol,
            "atol": atol,
            "h_init": h_init,
            "pcoeff": pcoeff,
            "icoeff": icoeff,
            "dcoeff": dcoeff,
            "accept_safety": accept_safety,
            "eta": eta,
            "s_noise": s_noise,
        },
    )


@node("SamplerLMS", category=CATEGORY)
def sampler_lms(order: Annotated[int, Field(ge=1, le=100)] = 4) -> Sampler:
    """A linear multistep method that remembers up to ``order`` steps."""
    return Sampler("lms", {"order": order})


@node("SamplerER_SDE", category=CATEGORY)
def sampler_er_sde(
    *,
    solver_type: Literal["ER-SDE", "Reverse-time SDE", "ODE"],
    max_stage: Annotated[int, Field(ge=1, le=3)] = 3,
    eta: Setting = 1.0,
    s_noise: Setting = 1.0,
) -> Sampler:
    """Extended reverse-time SDE solver; eta is the noise of the reverse-time SDE only."""
    strength = {"ER-SDE": None, "Reverse-time SDE": eta, "ODE": 0.0}[solver_type]
    return Sampler("er_sde", {"max_stage": max_stage, "eta": strength, "s_noise": s_noise})


@node("SamplerSASolver", category=CATEGORY)
def sampler_sa_solver(
    ctx: Context,
    model: Model,
    eta: Annotated[float, Field(ge=0.0, le=10.0), Widget(step=0.01, round=False)] = 1.0,
    sde_start_percent: Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.001)] = 0.2,
    sde_end_percent: Annotated[float, Field(ge=0.0, le=1.0), Widget(step=0.001)] = 0.8,
    s_noise: Setting = 1.0,
    predictor_order: Annotated[int, Field(ge=1, le=6)] = 3,
    corrector_order: Annotated[int, Field(ge=0, le=6)] = 4,
    *,
    use_pece: bool,
    simple_order_2: bool,
) -> Sampler:
    """Stochastic Adams solver, which adds noise between two parts of sampling.

    With PECE it evaluates the model again after each correction. A corrector of order 0 corrects nothing.
    """
    known = levels.levels(ctx, model)
    return Sampler(
        "sa_solver",
        {
            "eta": eta,
            "between": (known.sigma_at(sde_start_percent), known.sigma_at(sde_end_percent)),
            "s_noise": s_noise,
            "predictor_order": predictor_order,
            "corrector_order": corrector_order,
            "pece": use_pece,
            "simple_order_2": simple_order_2,
        },
    )


def _on(device: str, solver: str) -> str:
    """Return the name of a solver that draws its noise on the device of the model, or on the CPU."""
    return f"{solver}_gpu" if device == "gpu" else solver
