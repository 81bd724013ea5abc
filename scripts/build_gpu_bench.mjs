// Bundles the benchmarks for large GPUs, benchmarks/webgpu, into dist/gpu/bench.mjs.
//
//   node scripts/build_gpu_bench.mjs          only builds it
//   node scripts/build_gpu_bench.mjs --run    runs it too, on the GPU of this machine; passes the rest on
import {bundleForGpu} from './gpu_bundle.mjs';

await bundleForGpu('bench.mjs', "import './benchmarks/webgpu/main';");
