"""Diffusion sampling as mathematics: noise levels, schedules, solvers, noise, predictions and guidance.

Pure functions over torch tensors. Nothing here knows nodes, weights or files::

    levels = stable_diffusion()
    sigmas = SCHEDULES["karras"](levels, 20)
    x = start(latent, starting_noise(seed, latent.shape), sigmas[0], levels)
    x = SOLVERS["dpmpp_2m"].run(denoise, x, sigmas, noise, on_step)
"""
