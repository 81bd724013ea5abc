// tfjs yields between steps by an animation frame, of which a hidden page has none: training would stop
// with the tab in the background. This must be imported before tfjs, which looks once.

const {port1, port2} = new MessageChannel();
const waiting: FrameRequestCallback[] = [];

port1.onmessage = () => waiting.shift()?.(performance.now());

self.requestAnimationFrame = (callback) => {
  waiting.push(callback);
  port2.postMessage(null);
  return 0;
};
