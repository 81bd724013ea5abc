// What every processor of the target has: SSE2 or NEON. 4 rows of 2 vectors.
#define MEGABLOCKS_LANES 4
#define MEGABLOCKS_TILE_ROWS 4
#define MEGABLOCKS_TILE_VECTORS 2
#define MEGABLOCKS_SIMD_NAME "baseline"
#define MEGABLOCKS_SIMD_TABLE kBaseline
#ifdef __SSE2__
#include <emmintrin.h>
#define MEGABLOCKS_STREAM(to, v) _mm_stream_ps(to, v)
#define MEGABLOCKS_END_STREAM() _mm_sfence()
#endif
#include "simd_impl.h"
