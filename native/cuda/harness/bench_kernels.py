"""Times of the launchers beside their peers in PyTorch, in one run. TFLOP/s count 2 per multiply-add."""

import statistics

import torch
from library import call, empty, grouped_mat_mul, permutation, workspace

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


if __name__ == "__main__":
    for shape in SHAPES:
        products(*shape)
        torch.cuda.empty_cache()
    copies(65536, 512, 64)
    copies(65536, 4096, 64)
