// 12 rows of 2 vectors: 24 of the 32 registers hold sums.
#define MEGABLOCKS_LANES 16
#define MEGABLOCKS_TILE_ROWS 12
#define MEGABLOCKS_TILE_VECTORS 2
#define MEGABLOCKS_SIMD_NAME "avx512"
#define MEGABLOCKS_SIMD_TABLE kAvx512
#include "simd_impl.h"
