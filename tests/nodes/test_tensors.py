import subprocess
import sys

import pytest
import torch
from safetensors.torch import load

from engine.values import NoByteForm, from_bytes, pack, to_bytes, unpack
from nodes.recipes import Cond, Conditioning, FileRef, Latent, LoraPatch, Model

DTYPES = [
    torch.bool, torch.uint8, torch.int8, torch.uint16, torch.int16, torch.uint32, torch.int32, torch.uint64,
    torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
    torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e8m0fnu,
    torch.float4_e2m1fn_x2,
]  # fmt: skip


def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist()


def back(value, kind=bytearray):
    return unpack(from_bytes(kind(to_bytes(pack(value)))))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 0, 3), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_tensors_of_every_dtype_come_back_bit_by_bit(dtype, shape, kind):
    count = torch.Size(shape).numel()
    raw = torch.arange(count * dtype.itemsize, dtype=torch.uint8)
    tensor = (raw % 2 if dtype is torch.bool else raw).view(dtype).reshape(shape)
    read = back(tensor, kind)
    assert (read.dtype, read.shape, bits(read)) == (dtype, tensor.shape, bits(tensor))


def test_strides_do_not_count():
    tensor = torch.arange(24.0).reshape(2, 3, 4)
    for view in (tensor.permute(2, 0, 1), tensor[:, ::2], tensor[0:1].expand(5, 3, 4), tensor.flip(0)):
        assert pack(view).digest == pack(view.clone(memory_format=torch.contiguous_format)).digest
        assert torch.equal(back(view), view)


def test_lazy_conjugates_and_gradients_are_plain_numbers():
    tensor = torch.tensor([1 + 2j])
    assert back(tensor.conj()).tolist() == [1 - 2j]
    assert back(tensor.conj().imag).tolist() == [-2]
    leaf = torch.ones(2, requires_grad=True)
    assert not back(leaf * 2).requires_grad


def test_a_writable_buffer_is_shared_and_another_copied():
    data = to_bytes(pack(torch.zeros(4)))
    writable = bytearray(data)
    unpack(from_bytes(writable))[0] = 1
    assert unpack(from_bytes(writable))[0] == 1
    unpack(from_bytes(data))[0] = 1
    assert unpack(from_bytes(data))[0] == 0


def test_an_unaligned_tensor_is_copied_into_place():
    read = back([torch.zeros(3, dtype=torch.uint8), torch.ones(2, dtype=torch.float64)])
    assert read[1].tolist() == [1, 1] and read[1].data_ptr() % 8 == 0


def test_other_programs_read_the_file():
    tensors = [torch.randn(2, 3), torch.randn(4).bfloat16()]
    read = load(to_bytes(pack(tensors)))
    assert torch.equal(read["0"], tensors[0]) and torch.equal(read["1"], tensors[1])


def test_recipes_are_small_and_latents_and_conditioning_come_back():
    model = Model(FileRef("checkpoints", "f" * 64), (LoraPatch(FileRef("loras", "e" * 64), 0.5),))
    assert back(model) == model and pack(model).nbytes < 400
    latent = back(Latent(torch.ones(1, 4, 8, 8), batch_index=(0, 2), extra={"type": "audio"}))
    assert latent.samples.shape == (1, 4, 8, 8) and latent.batch_index == (0, 2) and latent.extra == {"type": "audio"}
    cond = back(Conditioning((Cond(torch.ones(1, 77, 8), None, {"area": (1, 2), "mask": torch.zeros(1, 8, 8)}),)))
    assert cond.entries[0].options["area"] == (1, 2) and cond.entries[0].options["mask"].shape == (1, 8, 8)


@pytest.mark.parametrize(
    "tensor",
    [torch.zeros(2, 2).to_sparse(), torch.empty(2, device="meta"), torch.nn.Parameter(torch.zeros(1)),
     torch.zeros(4, dtype=torch.uint8).view(torch.uint4)[::2]],
    ids=["sparse", "meta", "parameter", "uint4"],
)  # fmt: skip
def test_tensors_without_a_byte_form(tensor):
    with pytest.raises(NoByteForm):
        pack(tensor)


def test_a_tensor_on_an_accelerator_comes_back_on_the_cpu():
    if not torch.accelerator.is_available():
        pytest.skip("no accelerator")
    tensor = torch.arange(6.0, device=torch.accelerator.current_accelerator()).reshape(2, 3).T
    assert back(tensor).device.type == "cpu" and pack(tensor).digest == pack(tensor.cpu()).digest


def test_importing_nodes_does_not_import_torch():
    code = "import sys, nodes, nodes.recipes; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
