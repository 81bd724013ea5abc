import {StopRequest} from '../training/stop_request';

describe('StopRequest', () => {
  it('keeps the first reason', () => {
    const stop = new StopRequest();
    expect(stop.reason).toBeUndefined();
    stop.request('first');
    stop.request('second');
    stop.requestAfter(0, 'third');
    expect(stop.reason).toBe('first');
  });

  it('comes after a time, however long', () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(1000);
    const stop = new StopRequest();
    stop.requestAfter(2 ** 32, 'time');
    now.mockReturnValue(2 ** 32);
    expect(stop.reason).toBeUndefined();
    now.mockReturnValue(2 ** 32 + 1000);
    stop.request('later');
    expect(stop.reason).toBe('time');
    now.mockRestore();
  });
});
