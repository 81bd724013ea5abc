// `tfjs-megablocks/cpu`: registers the kernels of this backend.
import './kernels/cpu/register_all_kernels';
