"""The launchers of megablocks.h, called with PyTorch's tensors on its current stream."""

import ctypes
import os
from ctypes import c_bool, c_int, c_int32, c_int64, c_size_t, c_void_p

import torch

_library = ctypes.CDLL(os.environ["MEGABLOCKS_CUDA"])

PRECISIONS = {"float32": 0, "tf32": 1, "bfloat16": 2}
LAYOUTS = {"packed": 0, "padded": 1, "binned": 2}


class Permutation(ctypes.Structure):
    _fields_ = [
        ("indices", c_void_p), ("bins", c_void_p), ("padded_bins", c_void_p),
        ("num_copies", c_int64), ("num_rows", c_int64),
        ("num_experts", c_int32), ("top_k", c_int32), ("layout", c_int32),
    ]


class SparseIndex(ctypes.Structure):
    _fields_ = [
        ("row_indices", c_void_p), ("column_indices", c_void_p), ("offsets", c_void_p),
        ("column_indices_t", c_void_p), ("offsets_t", c_void_p), ("block_offsets_t", c_void_p),
        ("rows", c_int64), ("columns", c_int64), ("num_blocks", c_int64),
        ("block_size", c_int32),
    ]


class Experts(ctypes.Structure):
    _fields_ = [("permutation", Permutation), ("weights", c_void_p), ("hidden_size", c_int64),
                ("ffn_hidden_size", c_int64), ("activation", c_int32)]


def _as_argument(value):
    if value is None:
        return c_void_p(None)
    if isinstance(value, torch.Tensor):
        assert value.is_cuda and value.is_contiguous() and value.dtype in (torch.float32, torch.int32, torch.uint8)
        return c_void_p(value.data_ptr())
    if isinstance(value, bool):
        return c_bool(value)
    return value


def call(name, *arguments):
    """Calls megablocks_<name>; the stream comes last. int stands for int64_t, so sizes of other types are
    given as ctypes'."""
    function = getattr(_library, f"megablocks_{name}")
    function.restype = c_int
    converted = [c_int64(a) if type(a) is int else _as_argument(a) for a in arguments]
    error = function(*converted, c_void_p(torch.cuda.current_stream().cuda_stream))
    if error != 0:
        raise RuntimeError(f"{name}: CUDA error {error}")


def workspace(name, *arguments):
    function = getattr(_library, f"megablocks_{name}_workspace")
    function.restype = c_size_t
    size = function(*[c_int64(a) if type(a) is int else _as_argument(a) for a in arguments])
    return torch.empty(max(size, 1), dtype=torch.uint8, device="cuda"), c_size_t(size)


def empty(*shape, dtype=torch.float32):
    """A result that holds NaN (or a large integer), so that what is not written shows."""
    fill = float("nan") if dtype == torch.float32 else 0x7ABCDEF
    return torch.full(shape, fill, dtype=dtype, device="cuda")


def permutation(indices, bins, padded_bins, top_k, layout, num_rows):
    return Permutation(indices.data_ptr(), bins.data_ptr(), padded_bins.data_ptr(), indices.numel(),
                       num_rows, bins.numel(), top_k, LAYOUTS[layout])


def sparse_index(tensors, rows, columns, block_size):
    names = ["row_indices", "column_indices", "offsets", "column_indices_t", "offsets_t", "block_offsets_t"]
    return SparseIndex(*[tensors[name].data_ptr() for name in names], rows, columns,
                       tensors["row_indices"].numel(), block_size)


class ExpertsLayer:
    """The experts' sequence of kernels, with what it allocates once."""

    def __init__(self, form, weights, hidden, ffn, activation):
        self.experts = Experts(form, None if weights is None else weights.data_ptr(), hidden, ffn, activation)
        pointer = ctypes.byref(self.experts)
        sizes = []
        for name, flags in (("saved", ()), ("workspace", (False,)), ("workspace", (True,))):
            function = getattr(_library, f"megablocks_experts_{name}")
            function.restype = c_size_t
            sizes.append(function(pointer, *[c_bool(flag) for flag in flags]))
        self.saved, self.forward_memory, self.backward_memory = (
            torch.full((max(size, 1),), 255, dtype=torch.uint8, device="cuda") for size in sizes)

    def forward(self, x, w1, w2, out):
        call("experts_forward", ctypes.byref(self.experts), x, w1, w2, out, self.saved, self.forward_memory)

    def backward(self, dy, dx, dw1, dw2, dweights):
        call("experts_backward", ctypes.byref(self.experts), dy, self.saved, dx, dw1, dw2, dweights,
             self.backward_memory)


def grouped_mat_mul(precision, a, b, bins, transpose_a=False, transpose_b=False, out=None, hopper=False):
    """With `hopper` the launcher gets its workspace, and so may take wgmma."""
    rows, k = a.shape
    experts = bins.numel()
    n = b.shape[1] if transpose_a else b.shape[1 if transpose_b else 2]
    if out is None:
        out = empty(*((experts, k, n) if transpose_a else (rows, n)))
    code = c_int(PRECISIONS[precision])
    flags = (c_bool(transpose_a), c_bool(transpose_b))
    memory = (None, c_size_t(0))
    if hopper:
        memory = workspace("grouped_mat_mul", code, rows, k, n, c_int32(experts), *flags)
    call("grouped_mat_mul", code, a, b, bins, rows, k, n, c_int32(experts), *flags, out, *memory)
    return out


def sparse_product(name, precision, left, right, index, other, transpose_a, transpose_b, out, memory=None):
    """sdd, dsd or dds; with `memory`, a workspace, the launcher may take wgmma."""
    flags = (c_bool(transpose_a), c_bool(transpose_b))
    code = c_int(PRECISIONS[precision])
    call(name, code, left, right, index, other, *flags, out, *(memory or (None, c_size_t(0))))


def sparse_workspace(name, precision, index, other, transpose_a, transpose_b):
    return workspace(name, c_int(PRECISIONS[precision]), index, other, c_bool(transpose_a), c_bool(transpose_b))
