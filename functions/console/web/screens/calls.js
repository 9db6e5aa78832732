// Every call of a period, newest first.
import { query, useAction, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html, useEffect, useState } from '../lib/html.js';
import { money } from '../lib/money.js';
import { phone } from '../lib/phone.js';
import { go, useRoute } from '../lib/router.js';
import { duration, shortMoment } from '../lib/time.js';
import { Button, Card, Dialog, Empty, Form, Icon, Loaded, PageHead, Problem, Select, Table, Text, toast } from '../lib/ui.js';
import { CALL_STATUSES, callBadge, ended } from '../lib/words.js';

const A_PAGE = 25;

/** What is typed is looked for when the typing rests. */
function Search({ value, onInput }) {
  const [text, setText] = useState(value);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => onInput(text.trim()), 350);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<div class="field field-search"><label for="call-search">Number, id or reason</label>
    <input class="input" id="call-search" type="search" value=${text} maxlength="100" onInput=${(event) => setText(event.currentTarget.value)} /></div>`;
}

function Ring({ contactId, onClose }) {
  const known = useGet(contactId ? `/api/contacts/${encodeURIComponent(contactId)}` : null);
  const [typed, setNumber] = useState(/** @type {string | null} */ (null));
  const number = typed ?? known.data?.phone_number ?? '';
  const [error, setError] = useState('');
  const action = useAction(async (send) => {
    const { data } = await send('POST', '/api/calls', { phoneNumber: number.replaceAll(/[\s().-]/g, ''), agentRole: 'outbound' });
    toast('The agent is ringing.');
    go(`/calls/${encodeURIComponent(data.callId)}`);
  });
  const submit = () => {
    if (!/^\+\d[\d\s().-]{6,}$/.test(number.trim())) setError('Write the number with its country, such as +44 20 7183 8750.');
    else {
      setError('');
      action.run();
    }
  };
  return html`<${Dialog} title="Have the agent ring somebody" onClose=${onClose}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <p class="sub">The outbound agent rings from the clinic’s own number. Five minutes’ money is held, and what is talked is charged.</p>
        <${Text} label="Number to ring" type="tel" autocomplete="off" value=${number} onInput=${setNumber} error=${error} hint="With its country, such as +44 20 7183 8750." />
        <${Problem} failure=${action.failure ?? known.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" icon="phoneOut" isBusy=${action.isBusy}>Ring<//><${Button} onClick=${onClose}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

function Pager({ page, pages, total, onPage }) {
  const shown = total >= 10_000 ? '10,000+' : total.toLocaleString('en-GB');
  return html`<div class="more row" style=${{ justifyContent: 'space-between' }}>
    <span class="sub num">${shown} ${total === 1 ? 'call' : 'calls'}</span>
    ${
      pages > 1 &&
      html`<div class="row">
        <${Button} small icon="chevronLeft" label="Newer calls" disabled=${page <= 1} onClick=${() => onPage(page - 1)} />
        <span class="num">Page ${page} of ${pages}</span>
        <${Button} small icon="chevronRight" label="Older calls" disabled=${page >= pages} onClick=${() => onPage(page + 1)} />
      </div>`
    }
  </div>`;
}

export default function Calls() {
  const here = useHere();
  const route = useRoute();
  const [clears, setClears] = useState(0);
  const isRinging = route.value('ring') === '1' && here.mayChange;
  const of = (/** @type {string} */ name) => route.value(name);
  const page = Math.max(1, Number(of('page')) || 1);
  const set = (/** @type {Record<string, string>} */ next) => route.set({ page: null, ...next });
  // What is looked for is often a number or a name: no address shows it.
  const sought = route.kept('search');
  const seek = (/** @type {string} */ words) => {
    route.keep('search', words);
    set({});
  };
  const clear = () => {
    seek('');
    set({ status: '', direction: '', from: '', to: '' });
    setClears(clears + 1);
  };
  const list = useGet(
    query('/api/calls-dashboard', {
      page,
      limit: A_PAGE,
      status: of('status'),
      call_type: of('direction'),
      search: sought,
      startDate: of('from'),
      endDate: of('to'),
    }),
    { every: 20_000 },
  );
  const isFiltered = sought !== '' || ['status', 'direction', 'from', 'to'].some((name) => of(name));
  const columns = [
    { name: 'who', label: 'Who', main: true, cell: (call) => html`<${Icon} name=${call.call_direction === 'inbound' ? 'phoneIn' : 'phoneOut'} size=${16} /> <span class="num">${call.caller_name ?? phone(call.phone_number)}</span><span class="unseen">, ${call.call_direction}</span>` },
    { name: 'when', label: 'When', cell: (call) => html`<span class="num">${shortMoment(call.call_date, here.zone)}</span>` },
    { name: 'status', label: 'Outcome', cell: (call) => callBadge(call.status) },
    { name: 'about', label: 'About', long: true, cell: (call) => html`${call.outcome_summary ?? call.outcome ?? ''}<small>${call.status === 'in-progress' ? '' : ended(call.ended_reason)}</small>` },
    { name: 'length', label: 'Length', align: 'end', cell: (call) => (call.duration_seconds === null ? '–' : duration(call.duration_seconds)) },
    here.maySeeBusiness && { name: 'cost', label: 'Cost', align: 'end', cell: (call) => (call.cost_pence === null ? '–' : money(call.cost_pence)) },
  ].filter(Boolean);
  return html`<div class="page">
    <${PageHead}
      title="Calls"
      sub="Of the last 30 days, unless you choose others."
      actions=${here.mayChange && html`<${Button} icon="phoneOut" onClick=${() => route.set({ ring: '1' })}>Ring somebody<//>`}
    />
    <div class="filters">
      <${Search} key=${clears} value=${sought} onInput=${seek} />
      <${Select} label="Outcome" value=${of('status')} onInput=${(status) => set({ status })} options=${[['', 'Any'], ...CALL_STATUSES]} />
      <${Select} label="Direction" value=${of('direction')} onInput=${(direction) => set({ direction })} options=${[['', 'Both'], ['inbound', 'Inbound'], ['outbound', 'Outbound']]} />
      <${Text} label="From" type="date" value=${of('from')} onInput=${(from) => set({ from })} />
      <${Text} label="To" type="date" value=${of('to')} onInput=${(to) => set({ to })} />
      ${isFiltered && html`<${Button} kind="link" onClick=${clear}>Clear<//>`}
    </div>
    <${Card} kind="card-flush">
      <${Loaded} from=${list} lines=${10}>
        ${(data) =>
          data.calls.length === 0
            ? html`<${Empty} icon="phone" title=${isFiltered ? 'No call is like that.' : 'Nobody has rung yet.'}>
                ${isFiltered ? 'Take a filter away, or choose another period.' : 'Ring the clinic’s number: the call shows itself here while it goes on.'}
              <//>`
            : html`<${Table} caption="Calls" columns=${columns} rows=${data.calls} rowKey=${(call) => call.id} rowTo=${(call) => `/calls/${encodeURIComponent(call.id)}`} />
                <${Pager} page=${data.pagination.page} pages=${data.pagination.pages} total=${data.pagination.total} onPage=${(next) => route.set({ page: next > 1 ? String(next) : null })} />`}
      <//>
    <//>
    ${isRinging && html`<${Ring} contactId=${of('contact')} onClose=${() => route.set({ ring: null, contact: null })} />`}
  </div>`;
}
