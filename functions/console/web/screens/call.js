// One call: what was said, what was done, and what it cost.
import { Failure, call as ask, failureOf, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html, useRef, useState } from '../lib/html.js';
import { LiveCalls, useNow } from '../lib/live.js';
import { RATE, money } from '../lib/money.js';
import { phone } from '../lib/phone.js';
import { clockSeconds, duration, longDay, moment } from '../lib/time.js';
import { Badge, Card, Copy, Empty, Facts, Icon, Id, Link, Loaded, Note, PageHead, Problem, Skeleton } from '../lib/ui.js';
import { appointmentBadge, callBadge, ended, plain, tool } from '../lib/words.js';

/** The turns of a transcript: lines that begin with who speaks, and what goes on below them. @param {string} text */
export function turns(text) {
  /** @type {{who: 'agent' | 'caller', words: string}[]} */
  const found = [];
  for (const line of text.split('\n')) {
    const match = /^(AI|Assistant|Bot|User|Customer|Caller):\s*(.*)$/i.exec(line);
    const last = found.at(-1);
    if (match) found.push({ who: /^(ai|assistant|bot)$/i.test(match[1]) ? 'agent' : 'caller', words: match[2] });
    else if (last) last.words += `\n${line}`;
    else if (line.trim()) found.push({ who: 'agent', words: line });
  }
  return found.filter((turn) => turn.words.trim());
}

function Transcript({ call }) {
  if (!call.transcript) {
    return html`<${Empty} icon="info" title="There are no words of this call.">
      ${call.status === 'in-progress' ? 'They come when the call is over.' : 'Nobody spoke, or the words have been deleted.'}
    <//>`;
  }
  return html`<ol class="transcript">
    ${turns(call.transcript).map(
      (turn, at) => html`<li key=${at} class=${`turn turn-${turn.who}`}><span class="turn-who">${turn.who === 'agent' ? 'Agent' : 'Caller'}</span>${turn.words}</li>`,
    )}
  </ol>`;
}

/** The address is ours, whatever host it names: the page plays from its own origin. @param {string} url */
const own = (url) => new URL(url, location.href).pathname;

function Recording({ call }) {
  // The address holds for five minutes, and what plays is not disturbed by another: it is asked for anew when it does not hold.
  const [src, setSrc] = useState(() => own(call.recording_url));
  const [failure, setFailure] = useState(/** @type {any} */ (null));
  const audio = useRef(/** @type {HTMLAudioElement | null} */ (null));
  const asked = useRef(0);
  const again = async () => {
    if (Date.now() - asked.current < 10_000) {
      setFailure(new Failure('The recording cannot be played at the moment.'));
      return;
    }
    asked.current = Date.now();
    const at = audio.current?.currentTime ?? 0;
    try {
      const { data } = await ask('GET', `/api/calls-dashboard/${encodeURIComponent(call.id)}/recording`);
      setSrc(own(data.url));
      requestAnimationFrame(() => {
        if (!audio.current) return;
        audio.current.currentTime = at;
        audio.current.play().catch(() => {});
      });
    } catch (error) {
      setFailure(failureOf(error));
    }
  };
  return html`<div class="stack">
    <audio ref=${audio} controls preload="none" src=${src} aria-label="Recording of the call" onError=${again}></audio>
    <${Problem} failure=${failure} onRetry=${() => { asked.current = 0; setFailure(null); again(); }} />
  </div>`;
}

function Entries({ entries }) {
  const here = useHere();
  return html`<h3>In the wallet</h3>
    <ul class="notices">${entries.map(
      (one) => html`<li key=${one.seq}><${Icon} name="wallet" size=${20} /><div>
        <p class="row" style=${{ justifyContent: 'space-between' }}><span>${one.description}</span><span class="num strong">${one.direction === 'debit' ? '−' : '+'}${money(one.amount_pence)}</span></p>
        <p class="fine">${moment(one.created_at, here.zone)}; the balance was ${money(one.balance_after_pence)} then</p>
      </div></li>`,
    )}</ul>
    ${entries.length > 1 && html`<p class="fine">It was corrected: a source stated another duration later.</p>`}`;
}

/** How much was set aside, and how often more. @param {any} bill */
const heldOf = (bill) => `${money(bill.held_pence)}${bill.extensions === 0 ? '' : `, ${bill.extensions === 1 ? 'extended once' : `extended ${bill.extensions} times`}`}`;

function Cost({ call }) {
  const { bill } = call;
  if (call.cost_pence === null || call.status === 'in-progress') return null;
  if (!bill) return html`<${Card} title="What it cost"><p>Nothing is charged.</p><//>`;
  const rate = bill.rate_per_minute_pence;
  const [first, ...corrections] = bill.entries;
  // What a later word has corrected is no estimate any more.
  const isEstimate = bill.is_estimated && corrections.length === 0;
  return html`<${Card} title="What it cost">
    <div class="stack">
      <div class="sum">
        <div><span>Talked${isEstimate ? ', by our own times' : ''}</span><span>${duration(bill.duration_seconds)}</span></div>
        <div><span>Rate, by price list ${bill.price_list}</span><span>${rate}p a minute, by the second</span></div>
        ${bill.held_pence !== null && html`<div><span>Held</span><span>${heldOf(bill)}</span></div>`}
        ${first && bill.held_pence > first.amount_pence && html`<div><span>Went back when it was billed</span><span>${money(bill.held_pence - first.amount_pence)}</span></div>`}
        <div><span>Charged: ${bill.duration_seconds.toLocaleString('en-GB')} s × ${rate}p ÷ 60, rounded up</span><span>${money(bill.charged_pence)}</span></div>
      </div>
      ${isEstimate && html`<p class="fine">The voice service did not say in time how long they talked, so that our own times were taken.</p>`}
      ${bill.doubted_seconds !== null && html`<${Note} tone="warn" title="A longer call is stated.">The voice service now says ${duration(bill.doubted_seconds)}; our records confirm what is charged. Somebody of ours decides, and nothing more is owed until then.<//>`}
      <p class="fine">Money is held when a call begins. When it ends, what it cost is taken from that, and the rest goes back.</p>
      <${Entries} entries=${bill.entries} />
      <p class="fine"><${Link} to="/wallet">All entries in the wallet<//></p>
    </div>
  <//>`;
}

function Booked({ id }) {
  const here = useHere();
  const appointment = useGet(`/api/appointments/${encodeURIComponent(id)}`);
  if (!appointment.data) return appointment.failure ? html`<${Problem} failure=${appointment.failure} onRetry=${appointment.reload} isBusy=${appointment.isLoading} />` : html`<${Skeleton} lines=${2} />`;
  const one = appointment.data;
  return html`<div class="stack">
    <div><${Link} to=${`/appointments/${encodeURIComponent(id)}`} class="strong wrap">${one.service_type}, ${one.contact_name}<//>
    <p class="sub">${moment(one.scheduled_time, here.zone)}</p></div>
    <div class="row">${appointmentBadge(one.status)}${one.contact_id && html`<${Link} to=${`/contacts/${encodeURIComponent(one.contact_id)}`}>The contact<//>`}</div>
    ${one.answers.length > 0 && html`<h3>Answered before coming</h3><${Facts} items=${one.answers.map((said) => [said.question, said.answer])} />`}
  </div>`;
}

/** While it goes on: the money ticks here too. */
function Now({ id, rate }) {
  const live = useNow();
  const mine = live.data?.shown.calls.filter((call) => call.id === id) ?? [];
  return mine.length > 0 ? html`<${LiveCalls} calls=${mine} at=${live.data.at} rate=${rate} />` : null;
}

/** What a model gave a tool, a value a line; what cannot be read is shown as it is. @param {string} text @returns {[string, string][]} */
export function given(text) {
  try {
    const read = JSON.parse(text);
    const values = typeof read === 'string' ? JSON.parse(read) : read;
    if (values && typeof values === 'object') return Object.entries(values).map(([name, value]) => [plain(name), typeof value === 'string' ? value : JSON.stringify(value)]);
  } catch {
    // It was cut, or is no JSON.
  }
  return [['Given', text]];
}

function Tools({ call }) {
  const here = useHere();
  if (call.tools.length === 0) return null;
  return html`<${Card} title="What the agent did">
    <ol class="notices">${call.tools.map(
      (used, at) => html`<li key=${at}><span class="sub num">${at + 1}.</span><div>
        <p class="row" style=${{ justifyContent: 'space-between' }}><span class="strong">${tool(used.tool)}</span><${Badge} tone=${/^(NOT|NO|NOTHING) /.test(used.outcome) ? 'warn' : 'quiet'}>${plain(used.outcome.toLowerCase())}<//></p>
        <p class="fine num">${clockSeconds(used.at, here.zone)}, answered in ${used.milliseconds.toLocaleString('en-GB')} ms</p>
        ${used.arguments && html`<details><summary class="fine">What it was given</summary><${Facts} items=${given(used.arguments)} /></details>`}
      </div></li>`,
    )}</ol>
  <//>`;
}

/** To whom a call went. @param {any} call */
function putThrough(call) {
  const to = call.put_through_to ? phone(call.put_through_to) : 'a person';
  return call.duration_seconds ? `To ${to}, after ${duration(call.duration_seconds)}` : `To ${to} at once, as the clinic has said`;
}

function Detail({ call, rate }) {
  const here = useHere();
  return html`<div class="columns">
    <div class="two-thirds stack">
      ${call.status === 'in-progress' && html`<${Now} id=${call.id} rate=${rate} />`}
      ${call.outcome_summary && html`<${Card} title="In short"><p class="wrap">${call.outcome_summary}</p><//>`}
      <${Card} title="What was said"><div class="stack">${call.recording_url && html`<${Recording} key=${call.id} call=${call} />`}<${Transcript} call=${call} /></div><//>
    </div>
    <div class="third stack">
      <${Card} title="The call">
        <${Facts}
          items=${[
            ['Outcome', callBadge(call.status)],
            ['Number', html`<span class="id num">${phone(call.phone_number)}${call.phone_number && html`<${Copy} value=${call.phone_number} what="number" />`}</span>`],
            call.caller_name && ['Name', call.caller_name],
            ['Began', html`<span class="num">${clockSeconds(call.call_date, here.zone)}</span>`],
            ['Length', call.duration_seconds === null ? 'Not known yet' : duration(call.duration_seconds)],
            call.status !== 'in-progress' && ['Ended', ended(call.ended_reason)],
            call.status === 'transferred' && ['Put through', putThrough(call)],
            call.sentiment_label && ['Mood', html`<${Badge}>${call.sentiment_label}<//>`],
            call.urgency && ['Urgency', html`<${Badge} tone="warn">${call.urgency}<//>`],
            call.outcome && ['Result', call.outcome],
            ['Id', html`<${Id} value=${call.id} what="call’s id" />`],
          ]}
        />
      <//>
      <${Cost} call=${call} />
      ${
        call.appointment_ids.length > 0 &&
        html`<${Card} title=${call.appointment_ids.length === 1 ? 'The appointment it made' : 'The appointments it made'}>
          <div class="stack">${call.appointment_ids.map((id) => html`<${Booked} key=${id} id=${id} />`)}</div>
        <//>`
      }
      <${Tools} call=${call} />
    </div>
  </div>`;
}

export default function Call({ id }) {
  const here = useHere();
  const call = useGet(`/api/calls-dashboard/${encodeURIComponent(id)}`, { every: (data) => (data?.status === 'in-progress' ? 3_000 : 0) });
  const wallet = useGet(here.maySeeBusiness ? '/api/billing/wallet' : null);
  const rate = wallet.data?.rate_per_minute_pence ?? RATE;
  const one = call.data;
  return html`<div class="page">
    <${PageHead}
      back=${{ to: '/calls', label: 'Calls' }}
      title=${one ? (one.caller_name ?? phone(one.phone_number)) : 'Call'}
      sub=${one && `${one.call_direction === 'inbound' ? 'Rang the clinic' : 'Rung by the agent'} · ${longDay(one.call_date, here.zone)}`}
    />
    <${Problem} failure=${wallet.failure} onRetry=${wallet.reload} isBusy=${wallet.isLoading} />
    <${Loaded} from=${call} lines=${8}>${(data) => html`<${Detail} call=${data} rate=${rate} />`}<//>
  </div>`;
}
