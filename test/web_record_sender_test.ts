import {RecordSender} from '../web/src/worker/record_sender';

test('a flush ends when the page has all, also what was sent before', async () => {
  let receive!: () => void;
  const received = new Promise<void>((resolve) => (receive = resolve));
  const sender = new RecordSender(() => received);
  const order: string[] = [];
  sender.add({step: 1, seconds: 0});
  const flushed = sender.flush().then(() => order.push('flushed'));
  await new Promise((resolve) => setTimeout(resolve));
  order.push('received');
  receive();
  await flushed;
  expect(order).toEqual(['received', 'flushed']);
});
