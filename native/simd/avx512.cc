// 12 rows of 2 vectors: 24 of the 32 registers hold sums.
#define MEGABLOCKS_LANES 16
#define MEGABLOCKS_TILE_ROWS 12
#define MEGABLOCKS_TILE_VECTORS 2
#define MEGABLOCKS_SIMD_NAME "avx512"
#define MEGABLOCKS_SIMD_TABLE kAvx512
#include <immintrin.h>
#define MEGABLOCKS_STREAM(to, v) _mm512_stream_ps(to, v)
#define MEGABLOCKS_END_STREAM() _mm_sfence()
#include "simd_impl.h"
