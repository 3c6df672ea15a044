import inspect
from itertools import product

import pytest

import nodes
from nodes import samplers
from nodes.recipes import FileRef, Model
from nodes.samplers import check_version, sampler_euler_cfg_pp
from nodes.sampling.noise_levels import stable_diffusion
from nodes.sampling.solvers import SOLVERS

SELECTORS = [spec for spec in nodes.vocabulary() if spec.function.__module__ == "nodes.samplers"]
MODEL = Model(FileRef("checkpoints", "tiny"))


def calls(ctx, spec):
    """Call a selector with its defaults, once for each combination of choices."""
    given = {"model": MODEL, "use_pece": True, "simple_order_2": False}
    fixed = {port.name: given[port.name] for port in spec.inputs if port.name in given}
    fixed |= {"ctx": ctx} if spec.context else {}
    choices = {port.name: port.choices for port in spec.inputs if port.choices}
    return [spec.function(**fixed, **dict(zip(choices, picked, strict=True))) for picked in product(*choices.values())]


@pytest.mark.parametrize("spec", SELECTORS, ids=lambda spec: spec.type)
def test_settings_are_arguments_of_the_solver(ctx, spec):
    for sampler in calls(ctx, spec):
        signature = inspect.signature(SOLVERS[sampler.solver].run)
        assert set(sampler.settings) <= set(signature.parameters)


@pytest.mark.parametrize("spec", SELECTORS, ids=lambda spec: spec.type)
def test_defaults_of_a_node_are_those_of_its_solver(ctx, spec):
    sampler = calls(ctx, spec)[0]
    parameters = inspect.signature(SOLVERS[sampler.solver].run).parameters
    differing = {name for name, value in sampler.settings.items() if parameters[name].default != value}
    assert differing <= {"pece", "between"}


def test_noise_comes_from_where_it_is_wanted():
    for device, kind in (("cpu", "brownian"), ("gpu", "brownian_device")):
        sampler = samplers.sampler_dpmpp_2m_sde(solver_type="heun", noise_device=device)
        assert SOLVERS[sampler.solver].noise == kind
        assert sampler.settings["solver_type"] == "heun"


@pytest.mark.parametrize(("kind", "eta"), [("ER-SDE", None), ("Reverse-time SDE", 0.5), ("ODE", 0.0)])
def test_the_kind_of_er_sde_is_its_noise(kind, eta):
    assert samplers.sampler_er_sde(solver_type=kind, eta=0.5).settings["eta"] == eta


def test_sa_solver_is_stochastic_between_levels_of_the_model(ctx):
    sampler = samplers.sampler_sa_solver(
        ctx, MODEL, sde_start_percent=0.25, sde_end_percent=0.5, use_pece=False, simple_order_2=False
    )
    levels = stable_diffusion()
    assert sampler.settings["between"] == (levels.sigma_at(0.25), levels.sigma_at(0.5))


def test_only_the_published_form_of_cfg_pp_is_there():
    assert sampler_euler_cfg_pp(version="regular").solver == "euler_cfg_pp"
    assert check_version("regular") is None and "alternative is not supported" in check_version("alternative")
