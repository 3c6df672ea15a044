"""Golden cases: workflows with the latents and pictures that the reference made of them."""
