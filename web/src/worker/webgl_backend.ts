import '@tensorflow/tfjs-backend-webgl';
import '../../../src/webgl';
