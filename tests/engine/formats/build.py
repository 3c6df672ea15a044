"""Small saved documents and a small node catalogue for the tests."""

from datetime import datetime
from typing import Any

from engine.formats import Catalogue, Loaded, catalogue_from_object_info, load

NOON = datetime(2026, 3, 4, 5, 6, 7)

SAMPLERS = ["euler", "ddim"]


def spec(required: dict[str, Any], outputs: list[str] = (), optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return one entry of ``/object_info``."""
    inputs = {"required": required, "optional": optional or {}}
    order = {section: list(names) for section, names in inputs.items()}
    return {"input": inputs, "input_order": order, "output": list(outputs), "output_name": list(outputs)}


OBJECT_INFO: dict[str, Any] = {
    "Load": spec({"ckpt": [["a.safetensors", "b.safetensors"]]}, ["MODEL", "CLIP", "VAE"]),
    "Text": spec({"text": ["STRING", {"dynamicPrompts": True}], "clip": ["CLIP"]}, ["CONDITIONING"]),
    "Empty": spec(
        {"width": ["INT", {"default": 512, "min": 16, "max": 4096}], "height": ["INT", {"default": 512}]}, ["LATENT"]
    ),
    "Sample": spec(
        {
            "model": ["MODEL"],
            "seed": ["INT", {"default": 0, "control_after_generate": True}],
            "steps": ["INT", {"default": 20}],
            "cfg": ["FLOAT", {"default": 8.0}],
            "sampler": [SAMPLERS],
            "positive": ["CONDITIONING"],
            "negative": ["CONDITIONING"],
            "latent": ["LATENT"],
        },
        ["LATENT"],
    ),
    "Lora": spec({"model": ["MODEL"], "clip": ["CLIP"], "strength": ["FLOAT", {"default": 1.0}]}, ["MODEL", "CLIP"]),
    "Decode": spec({"samples": ["LATENT"], "vae": ["VAE"]}, ["IMAGE"]),
    "LoadImage": spec({"image": [["x.png"], {"image_upload": True}]}, ["IMAGE", "MASK"]),
    "Scale": spec({"image": ["IMAGE"], "mask": ["MASK"], "by": ["FLOAT", {"default": 1.0}]}, ["IMAGE"]),
    "Any": spec({"source": ["*"]}),
    "SaveImage": spec({"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "out"}]}),
    "Recolor": spec(
        {"prompt": ["STRING", {}], "n": ["INT", {}], "negative": ["STRING", {"forceInput": True}], "size": ["INT", {}]},
        ["IMAGE"],
    ),
    "LoadAudio": spec({"audio": [["a.mp3"], {"audio_upload": True}]}, ["AUDIO"]),
    "Dynamic": spec(
        {
            "mode": [
                "COMFY_DYNAMICCOMBO_V3",
                {
                    "options": [
                        {"key": "one", "inputs": {"required": {"size": ["INT", {"default": 3}]}}},
                        {"key": "two", "inputs": {"required": {"name": ["STRING", {}], "flag": ["BOOLEAN", {}]}}},
                    ]
                },
            ],
            "last": ["INT", {"default": 9}],
        }
    ),
    "Curve": spec({"curve": ["CURVE", {}], "items": ["COMBO", {"options": ["a", "b"], "multiselect": True}]}),
    "Color": spec(
        {"mode": ["COMBO", {"options": ["a", "b"], "control_after_generate": True}], "flag": ["BOOLEAN", {}]}
    ),
}

CATALOGUE: Catalogue = catalogue_from_object_info(OBJECT_INFO)


def node(
    node_id: int | str, kind: str, values: Any = None, inputs: list[Any] = (), outputs: Any = (), **rest: Any
) -> dict[str, Any]:
    """Return a saved node; inputs are (name, type, link[, widget]) and outputs are types."""
    slots = [
        {"name": name, "type": slot_type, "link": link} | ({"widget": {"name": widget[0]}} if widget else {})
        for name, slot_type, link, *widget in inputs
    ]
    result = {"id": node_id, "type": kind, "mode": 0, "inputs": slots, **rest}
    result["outputs"] = [{"name": output, "type": output, "links": []} for output in outputs]
    if values is not None:
        result["widgets_values"] = values
    return result


def saved(nodes: list[Any], links: list[Any] = (), **rest: Any) -> dict[str, Any]:
    return {"version": 0.4, "nodes": nodes, "links": list(links), **rest}


def subgraph(
    name: str, nodes: list[Any], links: list[Any], inputs: list[Any] = (), outputs: list[Any] = ()
) -> dict[str, Any]:
    """Return a definition; links are six values, ports are (name, type, link ids)."""
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    ports = [
        [{"id": f"{name}-{port}", "name": port, "type": kind, "linkIds": ids} for port, kind, ids in side]
        for side in (inputs, outputs)
    ]
    return {
        "id": name, "name": name, "nodes": nodes, "links": [dict(zip(keys, link, strict=True)) for link in links],
        "inputs": ports[0], "outputs": ports[1], "inputNode": {"id": -10}, "outputNode": {"id": -20},
    }  # fmt: skip


def converted(document: dict[str, Any], **options: Any) -> Loaded:
    return load(document, CATALOGUE, **{"now": NOON, **options})


def inputs_of(loaded: Loaded, node_id: str) -> dict[str, Any]:
    return loaded.prompt[node_id]["inputs"]


def codes(loaded: Loaded) -> list[str]:
    return [item.code for item in loaded.diagnostics]
