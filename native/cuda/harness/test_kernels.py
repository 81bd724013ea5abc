"""Tests of one family of launchers against PyTorch, on random shapes: test_kernels.py FAMILY [--rounds N]"""

import argparse
import json
import pathlib
import random
import time
from ctypes import c_float, c_int, c_int32

import torch
import torch.nn.functional as F
from library import (ExpertsLayer, PRECISIONS, call, empty, grouped_mat_mul, permutation, sparse_index,
                     sparse_product, sparse_workspace, workspace)

DEVICE = "cuda"
# Of the sum of the magnitudes of the terms: float32 rounds its sums, TF32 and bfloat16 both operands.
TOLERANCES = {"float32": 1e-5, "tf32": 1.2e-3, "bfloat16": 8.5e-3}


def ints(values):
    return torch.tensor(values, dtype=torch.int32, device=DEVICE)


def floats(*shape):
    return torch.rand(*shape, device=DEVICE) - 0.5


def wild_ints(count):
    """Of every magnitude and either sign: an index of which nothing is right."""
    return (torch.randint(-(2**31), 2**31 - 1, (count,)) >> torch.randint(0, 32, (count,))).to(torch.int32).to(DEVICE)


def expect_equal(got, expected, what):
    assert torch.equal(got.cpu(), expected.cpu()), f"{what}: they differ\n{got}\n{expected}"


def expect_product(got, a, b, precision, what):
    """got = a b, for float64 a and b."""
    error = (got.double() - a @ b).abs()
    bound = TOLERANCES[precision] * (a.abs() @ b.abs()) + 1e-30
    bad = ~(error <= bound)
    assert not bad.any(), f"{what}: {int(bad.sum())} of {bad.numel()} are off, first at {bad.nonzero()[0].tolist()}"


def size(most):
    """Small sizes, powers of two, multiples of four and others, all alike."""
    kind = random.randrange(4)
    if kind == 0:
        return random.randint(1, min(most, 9))
    if kind == 1:
        return min(most, 2 ** random.randint(0, most.bit_length()))
    if kind == 2:
        return max(4, random.randint(1, most) // 4 * 4)
    return random.randint(1, most)


def random_bins(rows, experts, complete=True):
    """Where each expert's rows end; some experts are empty, and the last may end early."""
    ends = sorted(random.randint(0, rows) for _ in range(experts))
    for i in range(1, experts):
        if random.random() < 0.2:
            ends[i] = ends[i - 1]
    ends.sort()
    if complete:
        ends[-1] = rows
    return ends


# ---- Routing.


def routing():
    n = random.choice([0, 1, size(3000), size(200000)])
    end_bit = random.choice([1, 3, 8, 17, 31, 32])
    keys = torch.randint(-(2**31), 2**31 - 1, (n,), dtype=torch.int64).to(torch.int32).to(DEVICE)
    if end_bit < 32:
        keys = keys & (2**end_bit - 1)
    sorted_keys, order = empty(n, dtype=torch.int32), empty(n, dtype=torch.int32)
    call("sort", keys, n, c_int(end_bit), sorted_keys, order, *workspace("sort", n))
    expected, expected_order = torch.sort(keys.long(), stable=True)
    expect_equal(sorted_keys.long(), expected, f"sort of {n}, {end_bit} bits")
    expect_equal(order.long(), expected_order, f"permutation of {n}, {end_bit} bits")

    batch, most = random.choice([(1, 64), (3, 7), (1, 9000), (2, 1)])
    x = torch.randint(-2, most + 2, (batch, n), dtype=torch.int32, device=DEVICE)
    counts = empty(batch, most, dtype=torch.int32)
    call("histogram", x, batch, n, c_int32(most), counts)
    rows = [torch.bincount(r[(r >= 0) & (r < most)].long(), minlength=most) for r in x]
    expect_equal(counts.long(), torch.stack(rows), f"histogram of {batch} x {n} into {most}")

    experts = random.choice([1, 8, 64, 700])
    tokens = torch.randint(0, 300, (experts,), dtype=torch.int32, device=DEVICE)
    for exclusive in (False, True):
        sums = empty(experts, dtype=torch.int32)
        call("cumsum", tokens, 1, experts, exclusive, sums)
        inclusive = torch.cumsum(tokens.long(), 0)
        expect_equal(sums.long(), inclusive - tokens if exclusive else inclusive, "cumsum")
    block = random.choice([1, 4, 128])
    bins = empty(experts, dtype=torch.int32)
    call("padded_bins", tokens, experts, c_int32(block), bins)
    padded = torch.cumsum((tokens.long() + block - 1) // block * block, 0)
    expect_equal(bins.long(), padded, "padded bins")

    per_row = random.choice([1, 2, 5])
    block_rows = int(padded[-1]) // block + 3
    columns = empty(block_rows * per_row, dtype=torch.int32)
    call("topology", bins, experts, c_int32(block), block_rows, per_row, columns)
    expert = torch.searchsorted(padded, torch.arange(block_rows, device=DEVICE) * block, right=True)
    expected = expert[:, None] * per_row + torch.arange(per_row, device=DEVICE)
    expected[expert >= experts] = -1
    expect_equal(columns.long(), expected.flatten(), "topology")

    ends = torch.cumsum(tokens, 0).to(torch.int32)
    outputs = int(ends[-1]) + 5
    x = torch.randint(-(2**31), 2**31 - 1, (2, experts), dtype=torch.int64).to(torch.int32).to(DEVICE)
    out = empty(2, outputs, dtype=torch.int32)
    call("replicate", x, ends, 2, experts, outputs, out)
    expected = torch.nn.functional.pad(torch.repeat_interleave(x, tokens.long(), 1), (0, 5))
    expect_equal(out, expected, "replicate")
    dy, dx = floats(2, outputs), empty(2, experts)
    call("replicate_grad", dy, ends, 2, experts, outputs, dx)
    sums = torch.zeros(2, experts + 1, dtype=torch.float64, device=DEVICE)
    bin_of = torch.searchsorted(ends, torch.arange(outputs, device=DEVICE, dtype=torch.int32), right=True)
    sums.index_add_(1, bin_of, dy.double())
    assert torch.allclose(dx.double(), sums[:, :experts], rtol=1e-5, atol=1e-5), "replicate's gradient"

    multiple = random.choice([1, 3, 128])
    x = torch.randint(-(2**20), 2**20, (n,), dtype=torch.int32, device=DEVICE)
    out = empty(n, dtype=torch.int32)
    call("round_up", x, n, c_int32(multiple), out)
    expect_equal(out.long(), -(-x.long() // multiple) * multiple, "round up")

    offsets = torch.cumsum(torch.randint(0, 4, (experts + 1,), device=DEVICE), 0)
    blocks = int(offsets[-1]) + 2
    out = empty(blocks, dtype=torch.int32)
    call("row_indices", ints(offsets.tolist()), experts, blocks, out)
    place = torch.arange(blocks, device=DEVICE)
    expected = torch.searchsorted(offsets[1:].contiguous(), place, right=True)
    expected[(place < offsets[0]) | (place >= offsets[-1])] = -1
    expect_equal(out.long(), expected, "row indices")

    t, e = size(5000), random.choice([1, 4, 64])
    k = random.randint(1, min(e, 8))
    logits = torch.randint(0, 9, (t, e), device=DEVICE).float()  # With many ties.
    out = empty(t, k, dtype=torch.int32)
    call("top_k", logits, t, c_int32(e), c_int32(k), out)
    expected = torch.sort(logits, dim=1, descending=True, stable=True).indices[:, :k]
    expect_equal(out.long(), expected, "top-k")

    x, dy = floats(t, e), floats(t, k)
    indices = torch.randint(-1, e + 1, (t, k), dtype=torch.int32, device=DEVICE)
    valid = (indices >= 0) & (indices < e)
    columns = indices.long().clamp(0, e - 1)
    out = empty(t, k)
    call("take_along_rows", x, indices, t, e, k, out)
    expect_equal(out, torch.where(valid, x.gather(1, columns), 0), "columns of rows")
    out = empty(t, e)
    call("take_along_rows_grad", dy, indices, t, e, k, out)
    expected = torch.zeros(t, e, device=DEVICE).scatter_add_(1, columns, torch.where(valid, dy, 0))
    assert torch.allclose(out, expected, rtol=1e-5, atol=1e-6), "gradient of columns of rows"

    # Whatever the index says, nothing is touched out of bounds.
    wild = wild_ints(65)
    call("replicate", floats(2, 65), wild, 2, 65, 99, empty(2, 99))
    call("replicate_grad", floats(2, 99), wild, 2, 65, 99, empty(2, 65))
    call("row_indices", wild, 64, 99, empty(99, dtype=torch.int32))
    call("topology", wild, 65, c_int32(4), 9, 3, empty(27, dtype=torch.int32))
    call("take_along_rows", floats(13, 7), wild, 13, 7, 5, empty(13, 5))
    call("take_along_rows_grad", floats(13, 5), wild, 13, 7, 5, empty(13, 7))
    call("histogram", wild, 1, 65, c_int32(9), empty(9, dtype=torch.int32))
    torch.cuda.synchronize()


# ---- Permutation.


def permutation_family():
    t, top_k, experts, hidden = size(700), random.choice([1, 2, 3]), random.choice([1, 4, 9]), size(700)
    n = t * top_k
    expert_of = torch.randint(0, experts, (n,))
    indices = torch.argsort(expert_of, stable=True)
    tokens = torch.bincount(expert_of, minlength=experts)
    ends = torch.cumsum(tokens, 0)
    block = random.choice([1, 4, 32])
    padded_ends = torch.cumsum((tokens + block - 1) // block * block, 0)
    weights = floats(n)
    for layout in ("packed", "padded", "binned"):
        if layout == "packed":
            num_rows, begins, room = n, ends - tokens, tokens
        elif layout == "padded":
            num_rows = int(padded_ends[-1]) + 2
            begins = torch.cat([torch.zeros(1, dtype=torch.int64), padded_ends[:-1]])
            room = tokens
        else:
            num_rows = random.randint(1, max(1, int(tokens.max())))
            begins, room = torch.arange(experts) * num_rows, tokens.clamp(max=num_rows)
        total = num_rows * experts if layout == "binned" else num_rows
        row_of_copy = torch.full((n,), -1)
        for e in range(experts):
            first = int(ends[e] - tokens[e])
            copies = indices[first : first + int(room[e])]
            row_of_copy[copies] = begins[e] + torch.arange(copies.numel())
        held = row_of_copy >= 0
        layout_ends = ends if layout == "packed" else padded_ends
        index = (ints(indices.tolist()), ints(ends.tolist()), ints(layout_ends.tolist()))
        form = permutation(*index, top_k, layout, num_rows)
        copies = torch.arange(n)[held].to(DEVICE)
        rows = row_of_copy[held].to(DEVICE)
        what = f"{layout}, T {t} K {top_k} E {experts} H {hidden}"
        for weight in (None, weights):
            scale = 1 if weight is None else weight[copies][:, None]
            x, y = floats(t, hidden), floats(total, hidden)
            got = empty(total, hidden)
            call("gather", x, weight, form, hidden, got)
            expected = torch.zeros(total, hidden, device=DEVICE)
            expected[rows] = scale * x[copies // top_k]
            expect_equal(got, expected, f"gather {what}")

            got = empty(t, hidden)
            memory, _ = workspace("scatter", n)
            call("scatter", y, weight, form, hidden, got, memory)
            expected = torch.zeros(t, hidden, device=DEVICE, dtype=torch.float64)
            expected.index_add_(0, copies // top_k, (scale * y[rows]).double())
            assert torch.allclose(got.double(), expected, rtol=1e-5, atol=1e-6), f"scatter {what}"

        dy, y = floats(t, hidden), floats(total, hidden)
        got = empty(n)
        call("scatter_weights_grad", y, dy, form, hidden, got)
        expected = torch.zeros(n, device=DEVICE, dtype=torch.float64)
        expected[copies] = (y[rows].double() * dy[copies // top_k].double()).sum(1)
        assert torch.allclose(got.double(), expected, rtol=1e-4, atol=1e-5), f"weights' gradient {what}"

    # Whatever the index says, nothing is touched out of bounds.
    wild = [wild_ints(m) for m in (n, experts, experts)]
    for layout in ("packed", "padded", "binned"):
        form = permutation(*wild, top_k, layout, 7)
        total = 7 * experts if layout == "binned" else 7
        call("gather", floats(t, hidden), weights, form, hidden, empty(total, hidden))
        memory, _ = workspace("scatter", n)
        call("scatter", floats(total, hidden), weights, form, hidden, empty(t, hidden), memory)
        call("scatter_weights_grad", floats(total, hidden), floats(t, hidden), form, hidden, empty(n))
    torch.cuda.synchronize()


# ---- Products.


def check_grouped(precision, rows, k, n, experts, ends, hopper=False):
    bins = ints(ends)
    begins = [0] + ends[:-1]
    what = f"{precision}, rows {rows} k {k} n {n}, bins {ends[:9]}"
    a = floats(rows, k)
    for transpose_b in (False, True):
        b = floats(experts, *((n, k) if transpose_b else (k, n)))
        got = grouped_mat_mul(precision, a, b, bins, False, transpose_b, hopper=hopper)
        for e in range(experts):
            part = slice(begins[e], ends[e])
            right = b[e].double().T if transpose_b else b[e].double()
            expect_product(got[part], a[part].double(), right, precision, f"grouped {transpose_b}, {what}")
        expect_equal(got[ends[-1] :], torch.zeros_like(got[ends[-1] :]), f"rows beyond the bins, {what}")
    b = floats(rows, n)
    got = grouped_mat_mul(precision, a, b, bins, True, hopper=hopper)
    for e in range(experts):
        part = slice(begins[e], ends[e])
        expect_product(got[e], a[part].double().T, b[part].double(), precision, f"grouped transposed, {what}")


def check_grouped_of_none(precision, hopper=False):
    """Without experts, all rows are beyond the last bin; without rows, an expert's product is of nothing."""
    a, none = floats(5, 16), floats(0, 16)
    got = grouped_mat_mul(precision, a, floats(0, 16, 24), ints([]), hopper=hopper)
    expect_equal(got, torch.zeros(5, 24), f"grouped without experts, {precision}")
    got = grouped_mat_mul(precision, none, floats(0, 24), ints([0, 0]), True, hopper=hopper)
    expect_equal(got, torch.zeros(2, 16, 24), f"grouped transposed without rows, {precision}")
    for experts in (0, 2):
        grouped_mat_mul(precision, none, floats(experts, 16, 24), ints([0] * experts), hopper=hopper)


def grouped():
    rows, k, n, experts = size(900), size(500), size(500), random.choice([1, 2, 8, 33])
    for precision in PRECISIONS:
        check_grouped(precision, rows, k, n, experts, random_bins(rows, experts, random.random() < 0.7))
    wild = torch.randint(-(2**31), 2**31 - 1, (experts,), dtype=torch.int64).to(torch.int32).to(DEVICE)
    for precision in PRECISIONS:
        check_grouped_of_none(precision)
        grouped_mat_mul(precision, floats(rows, k), floats(experts, k, n), wild)
        grouped_mat_mul(precision, floats(rows, k), floats(rows, n), wild, True)
    torch.cuda.synchronize()


def hopper():
    """bfloat16 and TF32 by wgmma, which take whole vectors of eight and of four."""
    for precision, vector in (("bfloat16", 8), ("tf32", 4)):
        rows, experts = size(2000), random.choice([1, 2, 8, 33])
        k, n = vector * random.randint(1, 720 // vector), vector * random.randint(1, 720 // vector)
        if random.random() < 0.3:
            # So large that both operands are converted to bfloat16 before they are multiplied.
            experts = random.choice([1, 2])
            rows, k = experts * random.randint(1500, 2000), vector * random.randint(904 // vector, 1000 // vector)
            n = vector * random.randint(1504 // vector, 1600 // vector)
        ends = random_bins(rows, experts, random.random() < 0.7)
        check_grouped(precision, rows, k, n, experts, ends, hopper=True)
        check_grouped_of_none(precision, hopper=True)
        wild = torch.randint(-(2**31), 2**31 - 1, (experts,), dtype=torch.int64).to(torch.int32).to(DEVICE)
        grouped_mat_mul(precision, floats(rows, k), floats(experts, k, n), wild, hopper=True)
        grouped_mat_mul(precision, floats(rows, k), floats(rows, n), wild, True, hopper=True)
        # Rows of other experts and the padding of tiles must not leak in: NaN would show.
        bins, half = ints([rows // 2, rows]), rows // 2
        for a_has_nan in (False, True):
            a, b = floats(rows, k), floats(rows, n)
            (a if a_has_nan else b)[half:] = float("nan")
            got = grouped_mat_mul(precision, a, b, bins, True, hopper=True)
            expect_product(got[0], a[:half].double().T, b[:half].double(), precision, "beside NaN")
    torch.cuda.synchronize()


def experts():
    """The sequence of a layer, against float64: bfloat16 rounds every operand and what lies between."""
    t, top_k, count = size(900), random.choice([1, 1, 2, 3]), random.choice([1, 2, 8, 33])
    hidden, ffn = 8 * random.randint(1, 60), 8 * random.randint(1, 90)
    n, kind = t * top_k, random.randrange(4)
    expert_of = torch.randint(0, count, (n,))
    indices = torch.argsort(expert_of, stable=True)
    ends = torch.cumsum(torch.bincount(expert_of, minlength=count), 0)
    weights = floats(n) if random.random() < 0.7 else None
    x, dy = 2 * floats(t, hidden), floats(t, hidden)
    w1, w2 = floats(count, ffn, hidden), floats(count, ffn, hidden)
    index = (ints(indices.tolist()), ints(ends.tolist()))
    layer = ExpertsLayer(permutation(*index, index[1], top_k, "packed", n), weights, hidden, ffn, kind)
    got = {"y": empty(t, hidden), "x": empty(t, hidden), "w1": empty(count, ffn, hidden),
           "w2": empty(count, ffn, hidden), "weights": empty(n)}
    layer.forward(x, w1, w2, got["y"])
    layer.backward(dy, got["x"], got["w1"], got["w2"], got["weights"])

    leaves = {name: v.double().requires_grad_() for name, v in
              (("x", x), ("w1", w1), ("w2", w2), ("weights", torch.ones(n, device=DEVICE) if weights is None else weights))}
    function = [lambda x: F.gelu(x, approximate="tanh"), F.gelu, F.silu, F.relu][kind]
    rows = torch.zeros(n, hidden, dtype=torch.float64, device=DEVICE)
    for e in range(count):
        copies = (expert_of == e).nonzero()[:, 0].to(DEVICE)
        h = function(leaves["x"][copies // top_k] @ leaves["w1"][e].T) @ leaves["w2"][e]
        rows = rows.index_add(0, copies, h)
    y = (leaves["weights"][:, None] * rows).view(t, top_k, hidden).sum(1)
    y.backward(dy.double())
    # The gradient of a weight is a sum over H that may cancel: what it is made of counts as well.
    terms = dy.double().norm(dim=1).repeat_interleave(top_k) * rows.detach().norm(dim=1)
    least = {"weights": terms.norm() / hidden**0.5}
    for name, result in got.items():
        expected = y.detach() if name == "y" else leaves[name].grad
        error = (result.double() - expected).norm() / max(expected.norm(), least.get(name, 0), 1e-30)
        # Of relu's derivative, a sum that rounds across 0 takes another side.
        assert error < (0.1 if kind == 3 else 0.015), (
            f"{name} of experts {kind}, T {t} K {top_k} E {count} H {hidden} F {ffn}: off by {float(error):.4f}")

    # Of copies of a token that no row is of, there is nothing to sum.
    wild = (wild_ints(n) if top_k == 1 else index[0], wild_ints(count))
    layer = ExpertsLayer(permutation(*wild, wild[1], top_k, "packed", n), weights, hidden, ffn, kind)
    layer.forward(x, w1, w2, got["y"])
    layer.backward(dy, got["x"], got["w1"], got["w2"], got["weights"])
    torch.cuda.synchronize()


def random_mask(least=1, most=5, densities=(0.1, 0.5, 1.0)):
    return torch.rand(random.randint(least, most), random.randint(least, most)) < random.choice(densities)


def experts_mask(experts, least, most):
    """Each expert's rows of blocks meet its own columns of blocks."""
    return torch.block_diag(*(torch.ones(random.randint(least, most), random.randint(least, most))
                              for _ in range(experts))).bool()


def sparse_of(mask, block):
    rows, columns = mask.shape[0] * block, mask.shape[1] * block
    row, column = mask.nonzero(as_tuple=True)
    tensors = {
        "row_indices": ints(row.tolist()),
        "column_indices": ints(column.tolist()),
        "offsets": ints([0] + torch.cumsum(mask.sum(1), 0).tolist()),
    }
    nnz = row.numel()
    tensors["column_indices_t"] = empty(nnz, dtype=torch.int32)
    tensors["offsets_t"] = empty(columns // block + 1, dtype=torch.int32)
    tensors["block_offsets_t"] = empty(nnz, dtype=torch.int32)
    call("sparse_transpose", tensors["row_indices"], tensors["column_indices"], nnz,
         c_int32(columns // block), tensors["column_indices_t"], tensors["offsets_t"],
         tensors["block_offsets_t"], *workspace("sparse_transpose", nnz))
    order = torch.argsort(column, stable=True)
    expect_equal(tensors["column_indices_t"].long().cpu(), row[order], "columns of the transpose")
    expect_equal(tensors["block_offsets_t"].long().cpu(), order, "blocks of the transpose")
    expect_equal(tensors["offsets_t"].long().cpu(),
                 torch.tensor([0] + torch.cumsum(mask.sum(0), 0).tolist()), "offsets of the transpose")
    return tensors, row.to(DEVICE), column.to(DEVICE)


def check_sparse(mask, block, other, precisions, hopper=False):
    rows, columns = mask.shape[0] * block, mask.shape[1] * block
    tensors, row, column = sparse_of(mask, block)
    index = sparse_index(tensors, rows, columns, block)
    nnz = row.numel()
    values = floats(nnz, block, block)
    dense = torch.zeros(rows // block, columns // block, block, block, device=DEVICE)
    dense[row, column] = values
    dense = dense.permute(0, 2, 1, 3).reshape(rows, columns)
    got = empty(rows, columns)
    call("sparse_to_dense", values, index, got)
    expect_equal(got, dense, f"dense form of {rows} x {columns} by {block}")
    got = empty(nnz, block, block)
    call("dense_to_sparse", dense.contiguous(), index, got)
    expect_equal(got, values, f"blocks of {rows} x {columns} by {block}")
    dense = dense.double()

    def product(name, precision, left, right, ta, tb, shape):
        got = empty(*shape)
        memory = sparse_workspace(name, precision, index, other, ta, tb) if hopper else None
        sparse_product(name, precision, left, right, index, other, ta, tb, got, memory)
        return got

    for precision in precisions:
        for ta in (False, True):
            for tb in (False, True):
                what = f"{precision}, {rows} x {columns} by {block}, {other}, transposed {ta} {tb}"
                a = floats(*((other, rows) if ta else (rows, other)))
                b = floats(*((columns, other) if tb else (other, columns)))
                got = product("sdd", precision, a, b, ta, tb, (nnz, block, block))
                left, right = (a.T if ta else a).double(), (b.T if tb else b).double()
                for i in range(nnz):
                    part = slice(int(row[i]) * block, (int(row[i]) + 1) * block)
                    across = slice(int(column[i]) * block, (int(column[i]) + 1) * block)
                    expect_product(got[i], left[part], right[:, across], precision, f"sdd {what}")

                inner, m = (rows, columns) if ta else (columns, rows)
                b = floats(*((other, inner) if tb else (inner, other)))
                got = product("dsd", precision, values, b, ta, tb, (m, other))
                expect_product(got, dense.T if ta else dense, (b.T if tb else b).double(), precision,
                               f"dsd {what}")

                inner, n = (columns, rows) if tb else (rows, columns)
                a = floats(*((inner, other) if ta else (other, inner)))
                got = product("dds", precision, a, values, ta, tb, (other, n))
                expect_product(got, (a.T if ta else a).double(), dense.T if tb else dense, precision,
                               f"dds {what}")

    # Whatever the index says, nothing is touched out of bounds.
    wild = {name: wild_ints(t.numel()) for name, t in tensors.items()}
    index = sparse_index(wild, rows, columns, block)
    call("sparse_to_dense", values, index, empty(rows, columns))
    call("dense_to_sparse", floats(rows, columns), index, empty(nnz, block, block))
    call("sparse_transpose", wild["row_indices"], wild["column_indices"], nnz, c_int32(columns // block),
         *(torch.empty_like(tensors[name]) for name in ("column_indices_t", "offsets_t", "block_offsets_t")),
         *workspace("sparse_transpose", nnz))
    for precision in precisions:
        for ta in (False, True):
            for tb in (False, True):
                inner, m = (rows, columns) if ta else (columns, rows)
                product("sdd", precision, floats(rows, other), floats(other, columns), ta, tb, (nnz, block, block))
                product("dsd", precision, values, floats(inner, other), ta, tb, (m, other))
                inner, m = (columns, rows) if tb else (rows, columns)
                product("dds", precision, floats(other, inner), values, ta, tb, (other, m))
    torch.cuda.synchronize()


def check_sparse_of_none(precision, hopper=False):
    """A matrix of [128, 0] and one of [0, 128], with two blocks that are not used."""
    block, other, unused = 128, 16, ints([-1, -1])
    for rows, columns in ((block, 0), (0, block)):
        offsets, offsets_t = ints([0, 2][: rows // block + 1]), ints([0] * (columns // block + 1))
        tensors = {"row_indices": ints([0, 0]), "column_indices": unused, "offsets": offsets,
                   "column_indices_t": unused, "offsets_t": offsets_t, "block_offsets_t": unused}
        index = sparse_index(tensors, rows, columns, block)
        values = floats(2, block, block)
        for name, left, right, shape in (
            ("sdd", floats(rows, other), floats(other, columns), (2, block, block)),
            ("dsd", values, floats(columns, other), (rows, other)),
            ("dds", floats(other, rows), values, (other, columns)),
        ):
            got = empty(*shape)
            memory = sparse_workspace(name, precision, index, other, False, False) if hopper else None
            sparse_product(name, precision, left, right, index, other, False, False, got, memory)
            expect_equal(got, torch.zeros(*shape), f"{name} of {rows} x {columns}, {precision}")


def sparse():
    for precision in PRECISIONS:
        check_sparse_of_none(precision)
    check_sparse(random_mask(), random.choice([4, 7, 32, 128, 160]), size(400), PRECISIONS)


def hopper_sparse():
    """bfloat16 and TF32 by wgmma, for blocks of 128."""
    for precision in ("bfloat16", "tf32"):
        check_sparse_of_none(precision, hopper=True)
    kind = random.random()
    if kind < 0.1:
        # So large that bfloat16 is not multiplied as TF32 instead.
        check_sparse(random_mask(10, 13, (0.9, 1.0)), 128, 8 * random.randint(125, 180), ["bfloat16"], True)
    elif kind < 0.15:
        # So large that both operands are converted, a part of one while the first lines are multiplied.
        check_sparse(experts_mask(3, 12, 13), 128, 8 * random.randint(460, 480), ["bfloat16"], True)
    else:
        check_sparse(random_mask(), 128, 8 * random.randint(1, 90), ["bfloat16"], True)
        check_sparse(random_mask(), 128, 4 * random.randint(1, 180), ["tf32"], True)


# ---- What training needs.


def expect_close(got, expected, what, tolerance=1e-5, least=0.0):
    """To a part of the largest magnitude, or of `least` where that is more."""
    error = (got.double() - expected.double()).abs().max() if got.numel() else torch.tensor(0.0)
    scale = max(least, expected.double().abs().max()) if got.numel() else 0
    assert error <= tolerance * scale + 1e-12, f"{what}: off by {float(error)} of {float(scale)}"


def training():
    n = size(100000)
    x, dy = 4 * torch.randn(n, device=DEVICE), floats(n)
    functions = [lambda x: F.gelu(x, approximate="tanh"), F.gelu, F.silu, F.relu]
    for kind, function in enumerate(functions):
        double = x.double().requires_grad_()
        y = function(double)
        y.backward(dy.double())
        got = empty(n)
        call("activation", c_int(kind), x, n, got)
        # Far below zero what is left of 1 + tanh is rounding, and a size of 1 has nothing larger.
        expect_close(got, y.detach(), f"activation {kind} of {n}", least=0.1)
        call("activation_grad", c_int(kind), x, dy, n, got)
        expect_close(got, double.grad, f"gradient of activation {kind} of {n}", least=0.1)

    rows, width = size(300), size(3000)
    x, gamma, beta, dy = floats(rows, width), floats(width), floats(width), floats(rows, width)
    epsilon = 1e-3
    inputs = [t.double().requires_grad_() for t in (x, gamma, beta)]
    y = F.layer_norm(inputs[0], (width,), inputs[1], inputs[2], epsilon)
    y.backward(dy.double())
    what = f"layer norm {rows} x {width}"
    got, dgamma = empty(rows, width), empty(width)
    call("layer_norm", x, gamma, beta, rows, width, c_float(epsilon), got)
    expect_close(got, y.detach(), what)
    call("layer_norm_grad", x, gamma, dy, rows, width, c_float(epsilon), got)
    # One column has no gradient: what is left of it is rounding.
    assert torch.allclose(got.double(), inputs[0].grad, rtol=1e-3, atol=1e-4), f"gradient of {what}"
    memory, _ = workspace("layer_norm_gamma_grad", rows)
    call("layer_norm_gamma_grad", x, dy, rows, width, c_float(epsilon), dgamma, memory)
    assert torch.allclose(dgamma.double(), inputs[1].grad, rtol=1e-3, atol=1e-4), f"gamma's gradient of {what}"

    logits = (8 * floats(rows, width)).double().requires_grad_()
    labels = torch.randint(-1, width + 1, (rows,), dtype=torch.int32, device=DEVICE)
    ignored = (labels < 0) | (labels >= width)
    expected = F.cross_entropy(logits, labels.long().masked_fill(ignored, -100), reduction="none")
    dlosses = floats(rows)
    expected.backward(dlosses.double())
    losses, log_sums, got = empty(rows), empty(rows), empty(rows, width)
    values = logits.detach().float()
    call("cross_entropy", values, labels, rows, width, losses, log_sums)
    expect_close(losses, expected.detach(), f"cross-entropy {rows} x {width}")
    call("cross_entropy_grad", values, labels, log_sums, dlosses, rows, width, got)
    expect_close(got, logits.grad, f"gradient of cross-entropy {rows} x {width}", 1e-4)

    vocab = size(5000)
    table = floats(vocab, width)
    indices = torch.randint(-2, vocab + 2, (rows,), dtype=torch.int32, device=DEVICE)
    valid = (indices >= 0) & (indices < vocab)
    got = empty(rows, width)
    call("embedding", table, indices, rows, vocab, width, got)
    expect_equal(got, torch.where(valid[:, None], table[indices.long().clamp(0, vocab - 1)], 0), "embedding")
    expected = torch.zeros(vocab, width, dtype=torch.float64, device=DEVICE)
    expected.index_add_(0, indices[valid].long(), dy.double()[valid])
    got = empty(vocab, width)
    call("embedding_grad", dy, indices, rows, vocab, width, got, *workspace("embedding_grad", rows))
    expect_close(got, expected, "gradient of embedding")

    value, gradient, first, second = floats(n), floats(n), floats(n), floats(n).abs()
    factors = torch.tensor([1e-2, 0.99, 1.5, 0.9, 0.95, 1e-8], device=DEVICE)
    for scale in (0.5, float("nan")):
        outputs = [empty(n) for _ in range(3)]
        call("adamw", factors, value, gradient, first, second, torch.tensor([scale], device=DEVICE), n, *outputs)
        if scale != scale:
            wanted = [value, first, second]
        else:
            g = scale * gradient.double()
            m, v = 0.9 * first.double() + 0.1 * g, 0.95 * second.double() + 0.05 * g * g
            wanted = [0.99 * value.double() - 1e-2 * m / ((1.5 * v).sqrt() + 1e-8), m, v]
        for got, expected in zip(outputs, wanted):
            expect_close(got, expected, f"AdamW with a scale of {scale}")


def attention():
    batch, length, heads = random.randint(1, 3), size(400), random.randint(1, 4)
    width = random.choice([1, 6, 16, 32, 60, 64, 80, 128, 200])
    hidden = heads * width
    what = f"attention, batch {batch} length {length} heads {heads} of {width}"
    # Scores of up to about ten, where a softmax is far from even.
    qkv = (4 * floats(batch, length, 3 * hidden)).requires_grad_()
    dy = floats(batch, length, hidden)
    parts = qkv.double().reshape(batch, length, 3, heads, width).permute(2, 0, 3, 1, 4)
    scores = parts[0] @ parts[1].transpose(2, 3) / width**0.5
    future = torch.ones(length, length, dtype=torch.bool, device=DEVICE).triu(1)
    expected = torch.softmax(scores.masked_fill(future, -torch.inf), 3) @ parts[2]
    expected = expected.transpose(1, 2).reshape(batch, length, hidden)
    expected.backward(dy.double())
    got, grad = empty(batch, length, hidden), empty(batch, length, 3 * hidden)
    call("causal_attention", qkv.detach(), batch, length, heads, width, got)
    expect_close(got, expected.detach(), what)
    memory, _ = workspace("causal_attention_grad", batch, length, heads)
    call("causal_attention_grad", qkv.detach(), dy, batch, length, heads, width, grad, memory)
    expect_close(grad, qkv.grad, f"gradient of {what}", 3e-5)


# ---- The cases that every backend runs, test/cases/*.json, by op.


def _tensor(case):
    kind = "f32" if "f32" in case else "i32"
    x = torch.tensor(case[kind], dtype=torch.float32 if kind == "f32" else torch.int32, device=DEVICE)
    return x.reshape(case["shape"]) if "shape" in case else x


def _batch(x):
    return 1 if x.dim() == 1 else x.shape[0]


def _like(x, *shape):
    return empty(*shape, dtype=x.dtype)


def _sort(x, endBit=32):
    outputs = _like(x, *x.shape), _like(x, *x.shape)
    call("sort", x, x.numel(), c_int(endBit), *outputs, *workspace("sort", x.numel()))
    return outputs


def _histogram(x, max):
    out = _like(x, *x.shape[:-1], max)
    call("histogram", x, _batch(x), x.shape[-1], c_int32(max), out)
    return out


def _cumsum(exclusive):
    def run(x):
        out = _like(x, *x.shape)
        call("cumsum", x, _batch(x), x.shape[-1], exclusive, out)
        return out
    return run


def _round_up(x, multiple):
    out = _like(x, *x.shape)
    call("round_up", x, x.numel(), c_int32(multiple), out)
    return out


def _padded_bins(tokensPerExpert, blockSize):
    out = _like(tokensPerExpert, tokensPerExpert.numel())
    call("padded_bins", tokensPerExpert, tokensPerExpert.numel(), c_int32(blockSize), out)
    return out


def _topology(paddedBins, blockSize, blockRows, blocksPerRow):
    out = _like(paddedBins, blockRows * blocksPerRow)
    call("topology", paddedBins, paddedBins.numel(), c_int32(blockSize), blockRows, blocksPerRow, out)
    return out


def _row_indices(offsets, numBlocks):
    out = _like(offsets, numBlocks)
    call("row_indices", offsets, offsets.numel() - 1, numBlocks, out)
    return out


def _replicate(x, bins, numOutputs):
    out = _like(x, *x.shape[:-1], numOutputs)
    call("replicate", x, bins, _batch(x), bins.numel(), numOutputs, out)
    return out


def _top_k(x, k):
    indices, values = empty(x.shape[0], k, dtype=torch.int32), empty(x.shape[0], k)
    call("top_k", x, x.shape[0], c_int32(x.shape[1]), c_int32(k), indices)
    call("take_along_rows", x, indices, x.shape[0], x.shape[1], k, values)
    return values, indices


def _gather(layout):
    def run(expected, x, indices, bins, topK, binIds=None, paddedBins=None, **_):
        num_rows = expected.shape[1 if layout == "binned" else 0]
        form = permutation(indices, bins, bins if paddedBins is None else paddedBins, topK, layout, num_rows)
        out = empty(*expected.shape)
        call("gather", x, None, form, x.shape[1], out)
        return out
    return run


def _scatter(layout):
    def run(expected, x, indices, bins, topK, weights=None, binIds=None, paddedBins=None, **_):
        num_rows = x.shape[1 if layout == "binned" else 0]
        form = permutation(indices, bins, bins if paddedBins is None else paddedBins, topK, layout, num_rows)
        out = empty(*expected.shape)
        memory, _ = workspace("scatter", indices.numel())
        call("scatter", x, weights, form, x.shape[-1], out, memory)
        return out
    return run


def _grouped_mat_mul(a, b, bins, options=None):
    options = options or {}
    return grouped_mat_mul("float32", a, b, bins, options.get("transposeA", False),
                           options.get("transposeB", False))


CASES = {
    "sort": _sort, "histogram": _histogram, "inclusiveCumsum": _cumsum(False),
    "exclusiveCumsum": _cumsum(True), "roundUp": _round_up, "paddedBins": _padded_bins,
    "topology": _topology, "rowIndices": _row_indices, "replicate": _replicate, "topK": _top_k,
    "gather": _gather("packed"), "paddedGather": _gather("padded"), "binnedGather": _gather("binned"),
    "scatter": _scatter("packed"), "paddedScatter": _scatter("padded"),
    "binnedScatter": _scatter("binned"), "groupedMatMul": _grouped_mat_mul,
}
# What these write depends on more than their arguments: the sizes of the result.
SIZED = {"gather", "paddedGather", "binnedGather", "scatter", "paddedScatter", "binnedScatter"}


def cases():
    folder = pathlib.Path(__file__).parents[3] / "test/cases"
    for file in sorted(folder.glob("*.json")):
        content = json.loads(file.read_text())
        for case in content["cases"]:
            if "error" in case:  # The op refuses it before any kernel runs.
                continue
            arguments = {name: _tensor(x) for name, x in case["inputs"].items()}
            arguments |= {name: x for name, x in case.get("attrs", {}).items() if x is not None}
            expected = case["expected"] if isinstance(case["expected"], list) else [case["expected"]]
            expected = [_tensor(x) for x in expected]
            if content["op"] in SIZED:
                arguments["expected"] = expected[0]
            got = CASES[content["op"]](**arguments)
            for x, wanted in zip(got if isinstance(got, tuple) else (got,), expected, strict=True):
                what = f"{content['op']}, {case['name']}"
                assert x.shape == wanted.shape, f"{what}: {x.shape} instead of {wanted.shape}"
                tolerance = case.get("tolerance", 1e-5 if x.dtype == torch.float32 else 0)
                assert torch.allclose(x.double(), wanted.double(), rtol=tolerance, atol=tolerance,
                                      equal_nan=True), f"{what}: {x.tolist()} instead of {wanted.tolist()}"


# Each with the random shapes that it takes by default.
FAMILIES = {"cases": (cases, 1), "routing": (routing, 200), "permutation": (permutation_family, 200),
            "grouped": (grouped, 200), "hopper": (hopper, 200), "experts": (experts, 200),
            "sparse": (sparse, 200), "hopper_sparse": (hopper_sparse, 200),
            "attention": (attention, 200), "training": (training, 200)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    test, rounds = FAMILIES[arguments.family]
    if rounds == 1:  # The same every time.
        arguments.rounds = 1
    began = time.time()
    for i in range(arguments.rounds or rounds):
        random.seed(arguments.seed + i)
        torch.manual_seed(arguments.seed + i)
        try:
            test()
            torch.cuda.synchronize()
        except Exception as error:
            raise SystemExit(f"{arguments.family}: round {i} (--seed {arguments.seed + i} --rounds 1): {error}")
        if (i + 1) % 20 == 0:
            print(f"{arguments.family}: {i + 1} rounds so far", flush=True)
    print(f"{arguments.family}: {arguments.rounds or rounds} rounds passed in {time.time() - began:.1f} s", flush=True)
