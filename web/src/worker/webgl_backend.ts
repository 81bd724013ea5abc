import '@tensorflow/tfjs-backend-webgl';

export {setupWebGL} from '../../../src/webgl';
