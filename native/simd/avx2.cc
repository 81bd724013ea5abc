// 6 rows of 2 vectors: 12 of the 16 registers hold sums.
#define MEGABLOCKS_LANES 8
#define MEGABLOCKS_TILE_ROWS 6
#define MEGABLOCKS_TILE_VECTORS 2
#define MEGABLOCKS_SIMD_NAME "avx2"
#define MEGABLOCKS_SIMD_TABLE kAvx2
#include "simd_impl.h"
