"""Times of the launchers beside their peers in PyTorch, in one run. TFLOP/s count 2 per multiply-add."""

import argparse
import statistics
import time
from ctypes import c_int, c_int32

import torch
from library import ExpertsLayer, PRECISIONS, call, empty, grouped_mat_mul, permutation, sparse_index, sparse_product, sparse_workspace, workspace

# T, H, F, E: the shapes of MegaBlocks' paper and a large one with few experts.
SHAPES = [(65536, 512, 2048, 64), (32768, 768, 3072, 64), (8192, 1024, 4096, 64), (8192, 4096, 16384, 4)]


def milliseconds(fs, rounds=15):
    """The medians of single runs, by turns, as the clock of a busy GPU changes; after warm-up."""
    for f in fs:
        for _ in range(3):
            f()
    times = [[] for _ in fs]
    for _ in range(rounds):
        for f, mine in zip(fs, times):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            f()
            end.record()
            end.synchronize()
            mine.append(begin.elapsed_time(end))
    return [statistics.median(mine) for mine in times]


def graph_of(f):
    """f as a graph, so that what is timed is the kernels and not their launches from Python."""
    f()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        f()
    return graph.replay


def attempt(*fs, as_graph=True):
    """A time each, or what went wrong: one peer that is missing must not stop the others."""
    running = {}
    for i, f in enumerate(fs):
        try:
            running[i] = graph_of(f) if as_graph else f
            running[i]()
        except Exception as error:
            running.pop(i, None)
            print(f"  not measured: {str(error).splitlines()[0][:160]}")
    times = dict(zip(running, milliseconds(list(running.values()))))
    return [times.get(i, float("nan")) for i in range(len(fs))]


def random_ends(rows, experts):
    counts = torch.bincount(torch.randint(0, experts, (rows,)), minlength=experts)
    return torch.cumsum(counts, 0).to(torch.int32).cuda()


def products(t, h, f, e, precisions):
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
    print(f"T {t} H {h} F {f} E {e}, TFLOP/s, and of cuBLAS' dense product of the same operations:")
    for name, (a, b, ta, tb, out, peer) in forms.items():
        line = []
        for precision, hopper in precisions:
            left, right = (a.bfloat16(), b.bfloat16()) if precision == "bfloat16" else (a, b)
            matrix = right if ta else right[0].T if tb else right[0]
            torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
            dense, ms = attempt(lambda: (left.T if ta else left) @ matrix,
                                lambda: grouped_mat_mul(precision, a, b, bins, ta, tb, out, hopper))
            line.append(f"{precision}{' wgmma' if hopper else ''} {flops / ms / 1e9:.0f} ({ms:.3f} ms, "
                        f"{dense / ms:.2f} of {flops / dense / 1e9:.0f})")
        [ms] = attempt(peer)
        print(f"  {name}: {', '.join(line)}; torch._grouped_mm bf16 {flops / ms / 1e9:.0f} ({ms:.3f} ms)", flush=True)


def layer(t, h, f, e, top_k=1):
    """Routing from the router's scores and the experts, forward and backward, as one sequence of kernels;
    beside it the same of bfloat16 tensors in PyTorch by torch._grouped_mm."""
    n = t * top_k
    scores, x, dy = torch.rand(t, e, device="cuda"), torch.randn(t, h, device="cuda"), torch.randn(t, h, device="cuda")
    w1, w2 = 0.02 * torch.randn(e, f, h, device="cuda"), 0.02 * torch.randn(e, f, h, device="cuda")
    weights = torch.rand(n, device="cuda")
    choice, ordered, indices = (empty(n, dtype=torch.int32) for _ in range(3))
    counts, bins = empty(e, dtype=torch.int32), empty(e, dtype=torch.int32)
    sorting = workspace("sort", n)
    experts = ExpertsLayer(permutation(indices, bins, bins, top_k, "packed", n), weights, h, f, 0)
    y, dx, dweights = empty(t, h), empty(t, h), empty(n)
    dw1, dw2 = empty(e, f, h), empty(e, f, h)

    def forward():
        call("top_k", scores, t, c_int32(e), c_int32(top_k), choice)
        call("sort", choice, n, c_int((e - 1).bit_length()), ordered, indices, *sorting)
        call("histogram", choice, 1, n, c_int32(e), counts)
        call("cumsum", counts, 1, e, False, bins)
        experts.forward(x, w1, w2, y)

    def backward():
        experts.backward(dy, dx, dw1, dw2, dweights)

    def both():
        forward()
        backward()

    times = attempt(forward, backward, both)
    flops = 12 * n * h * f
    print(f"layer T {t} H {h} F {f} E {e} top {top_k}: forward {times[0]:.3f}, backward {times[1]:.3f}, both "
          f"{times[2]:.3f} ms ({flops / times[2] / 1e9:.0f} TFLOP/s)", end="", flush=True)

    xb, w1b, w2b = (v.bfloat16().requires_grad_() for v in (x, w1, w2))
    dyb, weightsb = dy.bfloat16(), weights.bfloat16().requires_grad_()
    inverse = torch.argsort(indices.long())

    def peer():
        chosen = torch.topk(scores, top_k)[1].flatten()
        order = torch.argsort(chosen, stable=True)
        offsets = torch.cumsum(torch.bincount(chosen, minlength=e), 0).to(torch.int32)
        hidden = torch._grouped_mm(xb[order // top_k], w1b.transpose(1, 2), offs=offsets)
        rows = torch._grouped_mm(torch.nn.functional.gelu(hidden, approximate="tanh"), w2b, offs=offsets)
        out = torch.zeros_like(xb).index_add(0, order // top_k, rows * weightsb[order][:, None])
        torch.autograd.backward(out, dyb, inputs=[xb, w1b, w2b, weightsb])

    [ms] = attempt(peer, as_graph=False)
    print(f"; PyTorch, bf16 tensors {ms:.3f} ms ({flops / ms / 1e9:.0f})", flush=True)


def copies(t, h, e):
    bins = random_ends(t, e)
    indices = torch.randperm(t, device="cuda").to(torch.int32)
    form = permutation(indices, bins, bins, 1, "packed", t)
    x, y = torch.randn(t, h, device="cuda"), empty(t, h)
    memory, _ = workspace("scatter", t)
    weights = torch.rand(t, device="cuda")
    moved = 2 * 4 * t * h
    copy = lambda: y.copy_(x)
    [eager_copy] = attempt(copy, as_graph=False)
    ms = attempt(copy, lambda: call("gather", x, None, form, h, y),
                 lambda: call("scatter", x, weights, form, h, y, memory))
    copied, gathered, scattered = (moved / took / 1e6 for took in (min(ms[0], eager_copy), ms[1], ms[2]))
    print(f"permutation T {t} H {h}: copy {copied:.0f} GB/s, gather {gathered:.0f}, scatter {scattered:.0f}",
          flush=True)


def sparse(t, h, f, e, forms, block=128):
    """The products of a dMoE's experts over a block-sparse matrix, beside our own dense ones: the same
    multiplications and weights, expert by expert."""
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
    out, dense_w, dw = empty(t, f), torch.randn(e, h, f, device="cuda"), empty(e, f, h)
    products = {
        "sdd": (("sdd", x, w, h, False, False, values), (x, dense_w, False, False, out)),
        "dsd": (("dsd", values, w2, h, False, False, y), (out, dense_w.view(e, f, h), False, False, y)),
        "dsd transposed": (("dsd", values, x, h, True, False, w2), (out, x, True, False, dw)),
    }
    for precision, hopper in forms:
        line = []
        for label, ((name, left, right, other, ta, tb, to), (a, b, dta, dtb, dense_out)) in products.items():
            memory = sparse_workspace(name, precision, index, other, ta, tb) if hopper else None
            dense, ms = attempt(lambda: grouped_mat_mul(precision, a, b, bins, dta, dtb, dense_out, hopper),
                                lambda: sparse_product(name, precision, left, right, index, other, ta, tb, to, memory))
            line.append(f"{label} {flops / ms / 1e9:.0f} ({dense / ms:.3f} of {flops / dense / 1e9:.0f})")
        print(f"block-sparse T {t} H {h} F {f} E {e}, {precision}{' wgmma' if hopper else ''}, of the dense products of "
              f"each expert: {', '.join(line)}", flush=True)


FORMS = [("float32", False), ("bfloat16", False), ("tf32", True), ("bfloat16", True)]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sections", nargs="*", help="products, layer, sparse, copies; all by default")
    parser.add_argument("--fast", action="store_true", help="wgmma alone")
    arguments = parser.parse_args()
    wanted = lambda name: not arguments.sections or name in arguments.sections
    forms = [form for form in FORMS if form[1] or not arguments.fast]
    # The GPU idles at a low clock.
    warm = torch.randn(4096, 4096, device="cuda")
    until = time.time() + 0.3
    while time.time() < until:
        warm @ warm
        torch.cuda.synchronize()
    for shape in SHAPES:
        if wanted("products"):
            products(*shape, forms)
        torch.cuda.empty_cache()
        if wanted("layer"):
            layer(*shape)
        if wanted("sparse"):
            sparse(*shape, [form for form in forms if form[0] != "tf32"])
        torch.cuda.empty_cache()
    if wanted("copies"):
        copies(65536, 512, 64)
        copies(65536, 4096, 64)
