"""Solvers of the diffusion ODE and SDE. A new one is a function and a line in ``SOLVERS``."""

from collections.abc import Mapping

from nodes.sampling.solvers.adams import ipndm, ipndm_v, lms
from nodes.sampling.solvers.deis import deis
from nodes.sampling.solvers.dpm_2 import dpm_2, dpm_2_ancestral
from nodes.sampling.solvers.dpm_solver import dpm_adaptive, dpm_fast
from nodes.sampling.solvers.dpmpp import dpmpp_2m, dpmpp_2m_cfg_pp, dpmpp_2s_ancestral, dpmpp_2s_ancestral_cfg_pp
from nodes.sampling.solvers.dpmpp_sde import dpmpp_2m_sde, dpmpp_2m_sde_heun, dpmpp_3m_sde, dpmpp_sde
from nodes.sampling.solvers.er_sde import er_sde
from nodes.sampling.solvers.euler import ddpm, euler, euler_ancestral, euler_ancestral_cfg_pp, euler_cfg_pp, lcm
from nodes.sampling.solvers.gradient_estimation import gradient_estimation, gradient_estimation_cfg_pp
from nodes.sampling.solvers.heun import heun, heunpp2
from nodes.sampling.solvers.lcm_upscale import lcm_upscale
from nodes.sampling.solvers.record import Solve, Solver
from nodes.sampling.solvers.res import (
    res_multistep,
    res_multistep_ancestral,
    res_multistep_ancestral_cfg_pp,
    res_multistep_cfg_pp,
)
from nodes.sampling.solvers.sa_solver import sa_solver, sa_solver_pece
from nodes.sampling.solvers.seeds import seeds_2, seeds_3
from nodes.sampling.solvers.unipc import uni_pc, uni_pc_bh2

SOLVERS: Mapping[str, Solver] = {
    "euler": Solver(euler),
    "euler_cfg_pp": Solver(euler_cfg_pp, guided=True),
    "euler_ancestral": Solver(euler_ancestral, "ancestral"),
    "euler_ancestral_cfg_pp": Solver(euler_ancestral_cfg_pp, "ancestral", guided=True),
    "heun": Solver(heun),
    "heunpp2": Solver(heunpp2),
    "dpm_2": Solver(dpm_2, drops_penultimate=True),
    "dpm_2_ancestral": Solver(dpm_2_ancestral, "ancestral", drops_penultimate=True),
    "lms": Solver(lms),
    "dpm_fast": Solver(dpm_fast),
    "dpm_adaptive": Solver(dpm_adaptive, "ancestral"),
    "dpmpp_2s_ancestral": Solver(dpmpp_2s_ancestral, "ancestral"),
    "dpmpp_2s_ancestral_cfg_pp": Solver(dpmpp_2s_ancestral_cfg_pp, "ancestral", guided=True),
    "dpmpp_sde": Solver(dpmpp_sde, "brownian"),
    "dpmpp_sde_gpu": Solver(dpmpp_sde, "brownian_device"),
    "dpmpp_2m": Solver(dpmpp_2m),
    "dpmpp_2m_cfg_pp": Solver(dpmpp_2m_cfg_pp, guided=True),
    "dpmpp_2m_sde": Solver(dpmpp_2m_sde, "brownian"),
    "dpmpp_2m_sde_gpu": Solver(dpmpp_2m_sde, "brownian_device"),
    "dpmpp_2m_sde_heun": Solver(dpmpp_2m_sde_heun, "brownian"),
    "dpmpp_2m_sde_heun_gpu": Solver(dpmpp_2m_sde_heun, "brownian_device"),
    "dpmpp_3m_sde": Solver(dpmpp_3m_sde, "brownian"),
    "dpmpp_3m_sde_gpu": Solver(dpmpp_3m_sde, "brownian_device"),
    "ddpm": Solver(ddpm, "ancestral"),
    "lcm": Solver(lcm, "ancestral"),
    "ipndm": Solver(ipndm),
    "ipndm_v": Solver(ipndm_v),
    "deis": Solver(deis),
    "res_multistep": Solver(res_multistep),
    "res_multistep_cfg_pp": Solver(res_multistep_cfg_pp, guided=True),
    "res_multistep_ancestral": Solver(res_multistep_ancestral, "ancestral"),
    "res_multistep_ancestral_cfg_pp": Solver(res_multistep_ancestral_cfg_pp, "ancestral", guided=True),
    "gradient_estimation": Solver(gradient_estimation),
    "gradient_estimation_cfg_pp": Solver(gradient_estimation_cfg_pp, guided=True),
    "er_sde": Solver(er_sde, "ancestral"),
    "seeds_2": Solver(seeds_2, "ancestral"),
    "seeds_3": Solver(seeds_3, "ancestral"),
    "sa_solver": Solver(sa_solver, "ancestral"),
    "sa_solver_pece": Solver(sa_solver_pece, "ancestral"),
    "ddim": Solver(euler, fresh_background=True),
    "uni_pc": Solver(uni_pc, drops_penultimate=True),
    "uni_pc_bh2": Solver(uni_pc_bh2, drops_penultimate=True),
}
"""Solvers by name, in the order that editors show."""

LCM_UPSCALE = Solver(lcm_upscale, "ancestral", resizes=True)
"""A solver that editors don't show among the others: it needs a function besides."""

__all__ = ["LCM_UPSCALE", "SOLVERS", "Solve", "Solver"]
