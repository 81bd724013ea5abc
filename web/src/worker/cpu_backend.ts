import '@tensorflow/tfjs-backend-cpu';
import '../../../src/cpu';
