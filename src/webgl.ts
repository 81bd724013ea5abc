// `tfjs-megablocks/webgl`: registers the kernels of this backend.
import './kernels/webgl/register_all_kernels';
