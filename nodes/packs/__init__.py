"""Node packs written for ComfyUI. Nothing of this is imported before one is asked for."""
