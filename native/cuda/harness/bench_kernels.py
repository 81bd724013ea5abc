"""Times of the launchers beside their peers in PyTorch, in one run. TFLOP/s count 2 per multiply-add."""

import statistics
from ctypes import c_int, c_int32

import torch
from library import PRECISIONS, call, empty, grouped_mat_mul, permutation, sparse_index, workspace

# T, H, F, E: the shapes of MegaBlocks' paper and a large one with few experts.
SHAPES = [(65536, 512, 2048, 64), (32768, 768, 3072, 64), (8192, 1024, 4096, 64), (8192, 4096, 16384, 4)]


def milliseconds(f, rounds=15):
    """The median of single runs, after warm-up."""
    for _ in range(3):
        f()
    times = []
    for _ in range(rounds):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        f()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def attempt(f):
    """A time, or what went wrong: one peer that is missing must not stop the others."""
    try:
        return milliseconds(f)
    except Exception as error:
        print(f"  not measured: {str(error).splitlines()[0][:160]}")
        return float("nan")


def random_ends(rows, experts):
    counts = torch.bincount(torch.randint(0, experts, (rows,)), minlength=experts)
    return torch.cumsum(counts, 0).to(torch.int32).cuda()


def products(t, h, f, e):
    flops = 2 * t * h * f
    bins = random_ends(t, e)
    x, w, dy = torch.randn(t, h, device="cuda"), torch.randn(e, h, f, device="cuda"), torch.randn(t, f, device="cuda")
    xb, wb, dyb = x.bfloat16(), w.bfloat16(), dy.bfloat16()
    y, dx, dw = empty(t, f), empty(t, h), empty(e, h, f)
    forms = {
        "forward": (x, w, False, False, y, lambda: torch._grouped_mm(xb, wb, offs=bins)),
        "data gradient": (dy, w, False, True, dx, lambda: torch._grouped_mm(dyb, wb.transpose(1, 2), offs=bins)),
        "weight gradient": (x, dy, True, False, dw, lambda: torch._grouped_mm(xb.t(), dyb, offs=bins)),
    }
    torch.backends.cuda.matmul.allow_tf32 = False
    dense = attempt(lambda: xb @ wb[0])
    dense32 = attempt(lambda: x @ w[0])
    torch.backends.cuda.matmul.allow_tf32 = True
    dense_tf32 = attempt(lambda: x @ w[0])
    print(f"T {t} H {h} F {f} E {e}: dense in PyTorch, TFLOP/s: bf16 {flops / dense / 1e9:.0f}, "
          f"tf32 {flops / dense_tf32 / 1e9:.0f}, float32 {flops / dense32 / 1e9:.0f}")
    for name, (a, b, ta, tb, out, peer) in forms.items():
        line = []
        for precision, hopper in (("float32", False), ("tf32", False), ("bfloat16", False), ("bfloat16", True)):
            ms = attempt(lambda: grouped_mat_mul(precision, a, b, bins, ta, tb, out, hopper))
            line.append(f"{precision}{' wgmma' if hopper else ''} {flops / ms / 1e9:.0f} ({ms:.3f} ms)")
        ms = attempt(peer)
        print(f"  {name}: {', '.join(line)}; torch._grouped_mm bf16 {flops / ms / 1e9:.0f} ({ms:.3f} ms)", flush=True)


def copies(t, h, e):
    bins = random_ends(t, e)
    indices = torch.randperm(t, device="cuda").to(torch.int32)
    form = permutation(indices, bins, bins, 1, "packed", t)
    x, y = torch.randn(t, h, device="cuda"), empty(t, h)
    memory, _ = workspace("scatter", t)
    weights = torch.rand(t, device="cuda")
    moved = 2 * 4 * t * h
    gb = lambda f: moved / attempt(f) / 1e6
    print(f"permutation T {t} H {h}: copy {gb(lambda: y.copy_(x)):.0f} GB/s, gather "
          f"{gb(lambda: call('gather', x, None, form, h, y)):.0f}, scatter "
          f"{gb(lambda: call('scatter', x, weights, form, h, y, memory)):.0f}", flush=True)


def sparse(t, h, f, e, block=128):
    """The products of a dMoE's experts over a block-sparse matrix, beside our own dense product."""
    flops = 2 * t * h * f
    counts = torch.full((e,), t // e, dtype=torch.int32, device="cuda")
    bins, per_row = torch.cumsum(counts, 0).to(torch.int32), f // block
    nnz = t // block * per_row
    tensors = {name: empty(nnz, dtype=torch.int32)
               for name in ("column_indices", "column_indices_t", "block_offsets_t")}
    tensors["offsets_t"] = empty(e * per_row + 1, dtype=torch.int32)
    tensors["offsets"] = torch.arange(0, nnz + 1, per_row, dtype=torch.int32, device="cuda")
    tensors["row_indices"] = torch.arange(nnz, device="cuda").div(per_row, rounding_mode="floor").to(torch.int32)
    call("topology", bins, e, c_int32(block), t // block, per_row, tensors["column_indices"])
    call("sparse_transpose", tensors["row_indices"], tensors["column_indices"], nnz, c_int32(e * per_row),
         tensors["column_indices_t"], tensors["offsets_t"], tensors["block_offsets_t"],
         *workspace("sparse_transpose", nnz))
    index = sparse_index(tensors, t, e * f, block)
    x, w, y = torch.randn(t, h, device="cuda"), torch.randn(h, e * f, device="cuda"), empty(t, h)
    values, w2 = torch.randn(nnz, block, block, device="cuda"), torch.randn(e * f, h, device="cuda")
    one, out = torch.tensor([t], dtype=torch.int32, device="cuda"), empty(t, f)
    dense_w = torch.randn(1, h, f, device="cuda")
    for precision, code in PRECISIONS.items():
        code = c_int(code)
        dense = attempt(lambda: grouped_mat_mul(precision, x, dense_w, one, out=out))
        sdd = attempt(lambda: call("sdd", code, x, w, index, h, False, False, values))
        dsd = attempt(lambda: call("dsd", code, values, w2, index, h, False, False, y))
        dsd_t = attempt(lambda: call("dsd", code, values, x, index, h, True, False, w2))
        line = ", ".join(f"{name} {flops / ms / 1e9:.0f} ({dense / ms:.3f} of dense)"
                         for name, ms in (("sdd", sdd), ("dsd", dsd), ("dsd transposed", dsd_t)))
        print(f"block-sparse T {t} H {h} F {f} E {e}, {precision}: dense {flops / dense / 1e9:.0f}, {line}", flush=True)


if __name__ == "__main__":
    for shape in SHAPES:
        products(*shape)
        torch.cuda.empty_cache()
    sparse(8192, 1024, 4096, 64)
    torch.cuda.empty_cache()
    copies(65536, 512, 64)
    copies(65536, 4096, 64)
