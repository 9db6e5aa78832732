// Calls that go on now. Between two looks the money ticks here, by the one formula.
import { changed, useAction, useGet } from './api.js';
import { useHere } from './clinic.js';
import { speed } from './clock.js';
import { html, useEffect, useRef, useState } from './html.js';
import { affordable, money, price } from './money.js';
import { stopwatch } from './time.js';
import { Badge, Button, Confirm, Icon, Link, classes, useTick } from './ui.js';

/** What goes on now: the calls, today's appointments, the money; asked again as soon as the API says. */
export const useNow = () => useGet('/api/live', { every: (data) => data?.next_poll_ms ?? 15_000 });

/**
 * How long a call has gone on, in seconds, when it was looked at: what its money lasts for, less what is left of it; and for who sees
 * no money, since when they talk.
 * @param {{held_pence: number | null, seconds_left: number | null, started_at: string | null}} call
 * @param {number} rate
 * @param {string} at when it was looked at
 */
export function elapsed(call, rate, at) {
  if (call.held_pence === null) return call.started_at === null ? null : Math.max(0, (Date.parse(at) - Date.parse(call.started_at)) / 1000);
  return call.seconds_left === null ? null : Math.max(0, affordable(call.held_pence, rate) - call.seconds_left);
}

function EndCall({ call, onClose }) {
  const action = useAction(async (send) => {
    await send('POST', `/api/calls/${encodeURIComponent(call.id)}/end`);
    changed('/api/live', '/api/calls-dashboard');
    onClose();
  });
  return html`<${Confirm} title="End this call?" verb="End the call" danger action=${action} onClose=${onClose} onConfirm=${() => action.run()}>
    <p>The two are cut off in the middle of what they say. What was talked until then is charged.</p>
  <//>`;
}

/** @param {{calls: any[], at: string, rate: number}} props */
export function LiveCalls({ calls, at, rate }) {
  const seen = useRef({ calls, at: performance.now() });
  if (seen.current.calls !== calls) seen.current = { calls, at: performance.now() };
  const [ended, setEnded] = useState('');
  useTick(calls.length > 0 ? Math.max(100, 1000 / speed()) : 0);
  const since = ((performance.now() - seen.current.at) / 1000) * speed();
  const chosen = calls.find((call) => call.id === ended);
  return html`<ul class="live">${calls.map((call) => html`<${LiveCall} key=${call.id} call=${call} rate=${rate} at=${at} since=${since} onEnd=${() => setEnded(call.id)} />`)}</ul>
    ${chosen && html`<${EndCall} call=${chosen} onClose=${() => setEnded('')} />`}`;
}

function LiveCall({ call, rate, at, since, onEnd }) {
  const here = useHere();
  const spoken = elapsed(call, rate, at);
  // Never backwards, whatever the next look says within a second.
  const shown = useRef(0);
  const seconds = spoken === null ? null : Math.max(shown.current, Math.floor(spoken + since));
  useEffect(() => {
    shown.current = seconds ?? 0;
  });
  const inbound = call.call_direction === 'inbound';
  return html`<li class="live-call">
    <div class="live-head">
      <${Link} to=${`/calls/${encodeURIComponent(call.id)}`}>
        <${Icon} name=${inbound ? 'phoneIn' : 'phoneOut'} /> <span class="num">${call.phone_number ?? 'Withheld'}</span>
        <span class="unseen"> ${inbound ? 'rings in' : 'is rung'}</span>
      <//>
      <${Badge} tone=${call.ending ? 'warn' : 'live'}>${call.ending ? 'Being ended' : seconds === null ? 'Ringing' : 'Talking'}<//>
    </div>
    ${
      call.held_pence === null
        ? html`<div class="live-figures" aria-live="off"><span>${seconds === null ? 'not answered yet' : stopwatch(seconds)}</span></div>`
        : html`<${LiveMoney} call=${call} rate=${rate} seconds=${seconds} />`
    }
    ${here.mayKeepDiary && seconds !== null && !call.ending && html`<div class="form-actions"><${Button} small icon="close" onClick=${onEnd}>End the call<//></div>`}
  </li>`;
}

/** What a call costs so far, and for how long its money lasts. @param {{call: any, rate: number, seconds: number | null}} props */
function LiveMoney({ call, rate, seconds }) {
  const most = affordable(call.held_pence, rate);
  const left = seconds === null ? null : Math.max(0, most - seconds);
  return html`<div class="live-figures" aria-live="off">
      <span class="live-money" data-live-money>${money(seconds === null ? 0 : price(seconds, rate))}</span>
      <span data-live-seconds>${seconds === null ? 'not answered yet' : stopwatch(seconds)}</span>
      <span class="sub">${money(call.held_pence)} held</span>
    </div>
    <div class=${classes('meter', left !== null && left <= 30 && 'meter-low')} aria-hidden="true">
      <div style=${{ width: `${left === null || most === 0 ? 100 : Math.round((left / most) * 100)}%` }}></div>
    </div>
    <span class="fine num">${left === null ? 'Its money is set aside.' : `${stopwatch(left)} left before more is held`}</span>`;
}
