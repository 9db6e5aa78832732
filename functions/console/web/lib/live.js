// Calls that go on now. Between two looks the money ticks here, by the one formula.
import { speed } from './clock.js';
import { html, useEffect, useRef } from './html.js';
import { affordable, money, price } from './money.js';
import { masked } from './phone.js';
import { stopwatch } from './time.js';
import { Badge, Icon, Link, classes, useTick } from './ui.js';

/**
 * How long a call has gone on, in seconds, when it was looked at: what its money lasts for, less what is left of it.
 * @param {{held_pence: number, seconds_left: number | null}} call
 * @param {number} rate
 */
export const elapsed = (call, rate) =>
  call.seconds_left === null ? null : Math.max(0, affordable(call.held_pence, rate) - call.seconds_left);

export function LiveCalls({ calls, rate }) {
  const seen = useRef({ calls, at: performance.now() });
  if (seen.current.calls !== calls) seen.current = { calls, at: performance.now() };
  useTick(calls.length > 0 ? Math.max(100, 1000 / speed()) : 0);
  const since = ((performance.now() - seen.current.at) / 1000) * speed();
  return html`<ul class="live">${calls.map((call) => html`<${LiveCall} key=${call.id} call=${call} rate=${rate} since=${since} />`)}</ul>`;
}

function LiveCall({ call, rate, since }) {
  const spoken = elapsed(call, rate);
  const most = affordable(call.held_pence, rate);
  // Never backwards, whatever the next look says within a second.
  const shown = useRef(0);
  const seconds = spoken === null ? null : Math.max(shown.current, Math.floor(spoken + since));
  useEffect(() => {
    shown.current = seconds ?? 0;
  });
  const left = seconds === null ? null : Math.max(0, most - seconds);
  const isLow = left !== null && left <= 30;
  const inbound = call.call_direction === 'inbound';
  return html`<li class="live-call">
    <div class="live-head">
      <${Link} to=${`/calls/${encodeURIComponent(call.id)}`}>
        <${Icon} name=${inbound ? 'phoneIn' : 'phoneOut'} /> <span class="num">${masked(call.phone_number)}</span>
        <span class="unseen"> ${inbound ? 'rings in' : 'is rung'}</span>
      <//>
      <${Badge} tone="live">${seconds === null ? 'Ringing' : 'Talking'}<//>
    </div>
    <div class="live-figures" aria-live="off">
      <span class="live-money" data-live-money>${money(seconds === null ? 0 : price(seconds, rate))}</span>
      <span data-live-seconds>${seconds === null ? 'not answered yet' : stopwatch(seconds)}</span>
      <span class="sub">${money(call.held_pence)} held</span>
    </div>
    <div class=${classes('meter', isLow && 'meter-low')} aria-hidden="true">
      <div style=${{ width: `${left === null || most === 0 ? 100 : Math.round((left / most) * 100)}%` }}></div>
    </div>
    <span class="fine num">${left === null ? 'Its money is set aside.' : `${stopwatch(left)} left before more is held`}</span>
  </li>`;
}
