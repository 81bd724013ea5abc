// 6 rows of 2 vectors: 12 of the 16 registers hold sums.
#define MEGABLOCKS_LANES 8
#define MEGABLOCKS_TILE_ROWS 6
#define MEGABLOCKS_TILE_VECTORS 2
#define MEGABLOCKS_SIMD_NAME "avx2"
#define MEGABLOCKS_SIMD_TABLE kAvx2
#include <immintrin.h>
#define MEGABLOCKS_STREAM(to, v) _mm256_stream_ps(to, v)
#define MEGABLOCKS_END_STREAM() _mm_sfence()
#include "simd_impl.h"
