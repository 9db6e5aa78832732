// Makes the README's picture of the console: node tests/browser/picture.js docs/console.png
import { launch, open, settle } from './page.js';
import { NUMBER, startStack, until } from './stack.js';

const path = process.argv[2];
if (!path) throw new Error('Say where the picture goes: node tests/browser/picture.js docs/console.png');

const [stack, browser] = await Promise.all([startStack({ speed: 5, month: true }), launch()]);
try {
  const owner = await stack.token('owner');
  await stack.pay(5_000, owner);
  const ring = (/** @type {any} */ call) => stack.ring({ to: NUMBER, ...call });
  await ring({ from: '+447700900456', talk_seconds: 30, says: [{ says: 'I will be late.', tool: 'takeMessage', arguments: { text: 'I am ten minutes late for my check-up; please tell Dr Rahman.', urgency: 'normal' } }] });
  await ring({ from: '+447700900789', talk_seconds: 40, says: [{ says: 'Could somebody ring me back?', tool: 'takeMessage', arguments: { text: 'Please ring me back about my daughter’s first visit.', urgency: 'normal' } }] });
  await until(async () => (await stack.ask('GET', '/api/notifications/unread', undefined, owner)).count >= 2, 'both messages are there', 30_000);
  // From the next whole hour on: what is past cannot be booked.
  const now = new Date((await stack.ask('GET', '/_sandbox')).time);
  now.setUTCMinutes(60, 0, 0);
  const visits = [
    [0, 'Ada Lovelace', 'demo-check-up'],
    [45, 'Grace Hopper', 'demo-hygiene'],
    [90, 'Mary Seacole', 'demo-check-up'],
    [150, 'Katherine Johnson', 'demo-check-up'],
    [210, 'Edsger Dijkstra', 'demo-hygiene'],
  ];
  for (const [minutes, name, service] of visits) {
    const at = new Date(now.getTime() + Number(minutes) * 60_000).toISOString();
    await stack.post('/api/appointments', { service_id: service, scheduled_at: at, contact: { name }, overbook: 'For the picture.' }, owner);
  }
  await until(async () => (await stack.ask('GET', '/api/calls-dashboard/live', undefined, owner)).calls.length === 0, 'nobody rings', 60_000);
  await ring({ from: '+447700900123', talk_seconds: 900 });
  await until(async () => (await stack.ask('GET', '/api/calls-dashboard/live', undefined, owner)).calls.length === 1, 'somebody rings');
  await new Promise((done) => setTimeout(done, 14_000));
  await ring({ from: '+447700900222', talk_seconds: 900 });
  const { page } = await open(browser, stack, { role: 'owner', width: 1280 });
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(`${stack.base}/today`);
  await settle(page);
  await page.locator('.live-call', { hasText: 'Talking' }).nth(1).waitFor();
  await page.waitForTimeout(3_500);
  await page.screenshot({ path });
} finally {
  await browser.close();
  await stack.stop();
}
