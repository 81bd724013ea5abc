// `tfjs-megablocks/wasm`: registers the kernels of this backend.
import './kernels/wasm/register_all_kernels';
