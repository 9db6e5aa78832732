// One call: what was said, what was done, and what it cost.
import { Failure, call as ask, failureOf, query, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html, useRef, useState } from '../lib/html.js';
import { LiveCalls, useNow } from '../lib/live.js';
import { RATE, money, price } from '../lib/money.js';
import { phone } from '../lib/phone.js';
import { clockSeconds, duration, longDay, moment } from '../lib/time.js';
import { Badge, Card, Copy, Empty, Facts, Icon, Id, Link, Loaded, PageHead, Problem, Skeleton } from '../lib/ui.js';
import { appointmentBadge, callBadge, ended, tool } from '../lib/words.js';

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

const HOUR = 3_600_000;
/** A correction comes at the latest when a person accepts a doubt, and a doubt lapses after fourteen days. */
const CORRECTED_WITHIN = 16 * 24 * HOUR;

/** What a call's entries in the ledger took, less what they gave back. @param {any[]} entries */
export const net = (entries) => entries.reduce((sum, one) => sum + (one.direction === 'debit' ? one.amount_pence : -one.amount_pence), 0);

/**
 * The entries of a call. They are looked for in the hour after it ended, among those of the calls of that time; and only where they do
 * not add up to what it cost, as when it was billed late or corrected since, among those of two weeks.
 * @param {any} call
 */
function useEntries(call) {
  const began = Date.parse(call.call_date);
  const until = (/** @type {number} */ at) => query('/api/billing/wallet/statement', { from: call.call_date, to: new Date(at).toISOString() });
  const mine = (/** @type {any} */ statement) => statement.data?.entries.filter((/** @type {any} */ one) => one.call_id === call.id) ?? null;
  const near = useGet(until(began + call.duration_seconds * 1_000 + HOUR));
  const nearby = mine(near);
  const isShort = nearby !== null && net(nearby) !== call.cost_pence;
  const far = useGet(isShort ? until(began + CORRECTED_WITHIN) : null);
  return isShort ? { ...far, data: mine(far) } : { ...near, data: nearby };
}

function Entries({ call }) {
  const here = useHere();
  const entries = useEntries(call);
  return html`<h3>In the wallet</h3>
    <${Loaded} from=${entries} height="4.25rem">
      ${(list) =>
        list.length === 0
          ? html`<p class="sub">There is no entry of it yet.</p>`
          : html`<ul class="notices">${list.map(
              (one) => html`<li key=${one.seq}><${Icon} name="wallet" size=${20} /><div>
                <p class="row" style=${{ justifyContent: 'space-between' }}><span>${one.description}</span><span class="num strong">${one.direction === 'debit' ? '−' : '+'}${money(one.amount_pence)}</span></p>
                <p class="fine">${moment(one.created_at, here.zone)}${one.tariff_version === null ? '' : `, by price list ${one.tariff_version}`}; the balance was ${money(one.balance_after_pence)} then</p>
              </div></li>`,
            )}</ul>
            ${list.length > 1 && html`<p class="fine">It was corrected: a source stated another duration later.</p>`}`}
    <//>`;
}

function Cost({ call, rate }) {
  if (call.cost_pence === null) return null;
  if (call.status === 'in-progress') return null;
  const seconds = call.duration_seconds ?? 0;
  const counted = price(seconds, rate);
  return html`<${Card} title="What it cost">
    ${
      seconds === 0 && call.cost_pence === 0
        ? html`<p>Nothing: nobody talked. What was held went back.</p>`
        : html`<div class="stack">
            <div class="sum">
              <div><span>Talked</span><span>${duration(seconds)}</span></div>
              <div><span>Rate</span><span>${rate}p a minute, by the second</span></div>
              <div><span>${seconds.toLocaleString('en-GB')} s × ${rate}p ÷ 60, rounded up</span><span>${money(counted)}</span></div>
              ${counted !== call.cost_pence && html`<div><span>Of another price list, or not charged</span><span>${money(call.cost_pence - counted)}</span></div>`}
              <div><span>Charged</span><span>${money(call.cost_pence)}</span></div>
            </div>
            <p class="fine">Money is held when a call begins. When it ends, what it cost is taken from that, and the rest goes back.</p>
            <${Entries} call=${call} />
            <p class="fine"><${Link} to="/wallet">All entries in the wallet<//></p>
          </div>`
    }
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

function Tools({ call }) {
  if (call.tools_used.length === 0) return null;
  return html`<${Card} title="What the agent did">
    <ol class="stack">${call.tools_used.map((name, at) => html`<li key=${at} class="row"><span class="sub num">${at + 1}.</span><span>${tool(name)}</span></li>`)}</ol>
  <//>`;
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
            call.status === 'transferred' && ['Put through', call.duration_seconds ? `To a person, after ${duration(call.duration_seconds)}` : 'At once, as the clinic has said'],
            call.sentiment_label && ['Mood', html`<${Badge}>${call.sentiment_label}<//>`],
            call.urgency && ['Urgency', html`<${Badge} tone="warn">${call.urgency}<//>`],
            call.outcome && ['Result', call.outcome],
            ['Id', html`<${Id} value=${call.id} what="call’s id" />`],
          ]}
        />
      <//>
      <${Cost} call=${call} rate=${rate} />
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
