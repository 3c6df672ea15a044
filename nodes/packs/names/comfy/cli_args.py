"""ComfyUI's options, as they would be for this process: Loomis has options of its own."""

from enum import Enum
from types import SimpleNamespace


class LatentPreviewMethod(Enum):
    NoPreviews = "none"
    Auto = "auto"
    Latent2RGB = "latent2rgb"
    TAESD = "taesd"

    @classmethod
    def from_string(cls, value: str) -> "LatentPreviewMethod | None":
        """Return the method of a name, or None."""
        return next((method for method in cls if method.value == value), None)


class PerformanceFeature(Enum):
    Fp16Accumulation = "fp16_accumulation"
    Fp8MatrixMultiplication = "fp8_matrix_mult"
    CublasOps = "cublas_ops"
    AutoTune = "autotune"


NOT_GIVEN = (
    "base_directory", "input_directory", "output_directory", "temp_directory", "user_directory", "front_end_root",
    "extra_model_paths_config", "enable_cors_header", "cuda_device", "default_device", "directml",
    "oneapi_device_selector", "supports_fp8_compute", "reserve_vram", "tls_keyfile", "tls_certfile",
)  # fmt: skip
SWITCHES = (
    "auto_launch", "cpu", "gpu_only", "highvram", "normalvram", "lowvram", "novram", "cpu_vae", "async_offload",
    "disable_smart_memory", "disable_metadata", "disable_all_custom_nodes", "disable_api_nodes", "disable_xformers",
    "disable_cuda_malloc", "cuda_malloc", "disable_ipex_optimize", "multi_user", "deterministic", "force_fp16",
    "force_fp32", "fp16_unet", "bf16_unet", "fp32_unet", "fp64_unet", "fp8_e4m3fn_unet", "fp8_e5m2_unet", "fp16_vae",
    "fp32_vae", "bf16_vae", "fp16_text_enc", "fp32_text_enc", "bf16_text_enc", "fp8_e4m3fn_text_enc",
    "fp8_e5m2_text_enc", "force_channels_last", "force_upcast_attention", "dont_upcast_attention",
    "use_split_cross_attention", "use_quad_cross_attention", "use_pytorch_cross_attention", "use_sage_attention",
    "use_flash_attention", "quick_test_for_ci", "windows_standalone_build", "dont_print_server", "log_stdout",
    "enable_compress_response_body", "cache_classic", "cache_none", "mmap_torch_files", "enable_manager",
)  # fmt: skip

args = SimpleNamespace(
    **dict.fromkeys(NOT_GIVEN),
    **dict.fromkeys(SWITCHES, False),
    listen="127.0.0.1",
    port=8188,
    preview_method=LatentPreviewMethod.Auto,
    preview_size=512,
    fast=set(),
    cache_lru=0,
    verbose="INFO",
    max_upload_size=100,
    whitelist_custom_nodes=[],
    front_end_version="",
    default_hashing_function="sha256",
)
