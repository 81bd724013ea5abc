// Kernels are registered by a backend's name, so this needs none of the backends: those that the
// user has loaded find theirs.
import './gradients/register_all_gradients';
import './kernels/cpu/register_all_kernels';
import './kernels/wasm/register_all_kernels';
import './kernels/webgl/register_all_kernels';
import './kernels/webgpu/register_all_kernels';
