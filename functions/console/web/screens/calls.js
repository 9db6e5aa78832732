// Every call of a period, newest first, a page at a time: a page costs a page, however many calls there are.
import { query, useAction, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { money } from '../lib/money.js';
import { phone } from '../lib/phone.js';
import { go, useRoute } from '../lib/router.js';
import { duration, shortMoment } from '../lib/time.js';
import { Button, Card, Dialog, Empty, Form, Icon, Loaded, PageHead, Problem, Search, Select, Skeleton, Table, Text, toast } from '../lib/ui.js';
import { CALL_STATUSES, ENDINGS, callBadge, ended } from '../lib/words.js';

const A_PAGE = 25;
/** What calls cost, from how many pence to how many. */
const COSTS = [['', 'Any'], ['0-0', 'Nothing'], ['1-99', 'Under £1'], ['100-499', '£1 to £4.99'], ['500-', '£5 and more']];
/** The cursor of the first page. */
const FIRST = 'first';

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

/**
 * Where in the list one is: the cursor that the page began with, and those of the newer ones, by which the way back leads. They are
 * kept beside the address: a link to a page leads back to the newest.
 * @param {ReturnType<typeof useRoute>} route
 */
function usePlace(route) {
  const after = route.value('after');
  const trail = route.kept('trail').split(' ').filter(Boolean);
  const move = (/** @type {string} */ cursor, /** @type {string[]} */ behind) => {
    route.keep('trail', behind.join(' '));
    route.set({ after: cursor === FIRST ? null : cursor });
  };
  return {
    cursor: after || FIRST,
    isNewest: !after,
    newer: () => move(trail.at(-1) ?? FIRST, trail.slice(0, -1)),
    newest: () => move(FIRST, []),
    /** @param {string} next */
    older: (next) => move(next, [...trail, after || FIRST]),
    /** Past a page on which nothing is. @param {string} next */
    skip: (next) => move(next, trail),
  };
}

/** How many there are, as far as they are counted. */
function Count({ total, isFiltered }) {
  if (total.failure && !total.data) return html`<${Problem} failure=${total.failure} onRetry=${total.reload} isBusy=${total.isLoading} />`;
  const of = total.data;
  // A filter is put to the newest ten thousand: older ones may fit, too.
  const words = of && (of.is_cut && isFiltered ? `${of.total.toLocaleString('en-GB')} among the newest 10,000 calls` : `${of.shown} ${of.total === 1 ? 'call' : 'calls'}`);
  return html`<p class="sub num" role="status">${words ?? 'Counting…'}</p>`;
}

/** The ways to newer and older calls. What leads nowhere keeps the focus that it has. */
function Pager({ label, place, next, children = null, onTurn = () => {} }) {
  const turn = (/** @type {boolean} */ may, /** @type {() => void} */ to) => () => {
    if (!may) return;
    to();
    onTurn();
  };
  return html`<nav class="pager" aria-label=${label}>
    ${children}
    <div class="row">
      ${!place.isNewest && html`<${Button} small kind="link" onClick=${turn(true, place.newest)}>Newest<//>`}
      <${Button} small icon="chevronLeft" aria-disabled=${place.isNewest ? 'true' : undefined} onClick=${turn(!place.isNewest, place.newer)}>Newer calls<//>
      <${Button} small icon="chevronRight" aria-disabled=${next ? undefined : 'true'} onClick=${turn(Boolean(next), () => place.older(next))}>Older calls<//>
    </div>
  </nav>`;
}

/** What is shown while the next page is on its way: the page before it, so that nothing jumps. @param {any} list @param {string} filters */
function useTurning(list, filters) {
  const before = useRef({ filters: '', data: /** @type {any} */ (null) });
  if (list.data) before.current = { filters, data: list.data };
  const isTurning = !list.data && !list.failure && before.current.filters === filters;
  return { isTurning, from: isTurning ? { ...list, data: before.current.data } : list };
}

/** How many pages on which nothing is are gone past without being asked: of each the API looks at 2,500 calls. */
const MOST_SKIPPED = 4;

/** Goes past pages on which nothing is, where older calls may fit. @param {any} data @param {ReturnType<typeof usePlace>} place @param {string} filters */
function useSkipping(data, place, filters) {
  const skipped = useRef({ filters, count: 0 });
  if (skipped.current.filters !== filters) skipped.current = { filters, count: 0 };
  const next = data?.calls.length === 0 ? data.pagination.next_cursor : null;
  const isSkipping = Boolean(next) && skipped.current.count < MOST_SKIPPED;
  useEffect(() => {
    if (!isSkipping) return;
    skipped.current.count += 1;
    place.skip(next);
  }, [next]);
  return {
    isSkipping,
    further() {
      skipped.current.count = 0;
      place.skip(next);
    },
  };
}

function Nothing({ isFiltered, next, onFurther }) {
  if (next) {
    return html`<${Empty} icon="search" title="None of the calls looked through is like that." action=${html`<${Button} icon="search" onClick=${onFurther}>Look at older ones<//>`}>
      There are older ones in the period.
    <//>`;
  }
  return html`<${Empty} icon="phone" title=${isFiltered ? 'No call is like that.' : 'Nobody has rung yet.'}>
    ${isFiltered ? 'Take a filter away, or choose another period.' : 'Ring the clinic’s number: the call shows itself here while it goes on.'}
  <//>`;
}

/** @param {ReturnType<typeof useHere>} here */
const columnsFor = (here) =>
  [
    { name: 'who', label: 'Who', main: true, cell: (call) => html`<${Icon} name=${call.call_direction === 'inbound' ? 'phoneIn' : 'phoneOut'} size=${16} /> <span class="num">${call.caller_name ?? phone(call.phone_number)}</span><span class="unseen">, ${call.call_direction}</span>` },
    { name: 'when', label: 'When', cell: (call) => html`<span class="num">${shortMoment(call.call_date, here.zone)}</span>` },
    { name: 'status', label: 'Outcome', cell: (call) => callBadge(call.status) },
    { name: 'about', label: 'About', long: true, cell: (call) => html`${call.outcome_summary ?? call.outcome ?? ''}<small>${call.status === 'in-progress' ? '' : ended(call.ended_reason)}</small>` },
    { name: 'length', label: 'Length', align: 'end', cell: (call) => (call.duration_seconds === null ? '–' : duration(call.duration_seconds)) },
    here.maySeeBusiness && { name: 'cost', label: 'Cost', align: 'end', cell: (call) => (call.cost_pence === null ? '–' : money(call.cost_pence)) },
  ].filter(Boolean);

function List({ filters, isFiltered, place }) {
  const here = useHere();
  const list = useGet(query('/api/calls-dashboard', { cursor: place.cursor, limit: A_PAGE, ...filters }), { every: 20_000 });
  // Counting costs a look at every call, so that it is done once for a choice of filters and not for each page.
  const total = useGet(query('/api/calls-dashboard/total', filters));
  const chosen = JSON.stringify(filters);
  const { isTurning, from } = useTurning(list, chosen);
  const skipping = useSkipping(list.data, place, chosen);
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const next = list.data?.pagination.next_cursor ?? null;
  // Who goes on below the list goes on reading at its head.
  const toHead = () => {
    ref.current?.scrollIntoView({ block: 'start' });
    const [first] = ref.current?.querySelectorAll('nav') ?? [];
    /** @type {HTMLElement | null | undefined} */ (first?.querySelector('button:last-child'))?.focus({ preventScroll: true });
  };
  const isEmpty = from.data?.calls.length === 0;
  return html`<div ref=${ref} class="below-top" aria-busy=${isTurning || skipping.isSkipping ? 'true' : undefined}><${Card} kind="card-flush">
    <${Pager} label="Pages of calls" place=${place} next=${next}><${Count} total=${total} isFiltered=${isFiltered} /><//>
    ${
      skipping.isSkipping
        ? html`<${Skeleton} lines=${10} />`
        : html`<${Loaded} from=${from} lines=${10}>
            ${(data) =>
              isEmpty
                ? html`<${Nothing} isFiltered=${isFiltered} next=${next} onFurther=${skipping.further} />`
                : html`<${Table} caption="Calls" columns=${columnsFor(here)} rows=${data.calls} rowKey=${(call) => call.id} rowTo=${(call) => `/calls/${encodeURIComponent(call.id)}`} />`}
          <//>`
    }
    ${from.data && !isEmpty && (next || !place.isNewest) && html`<${Pager} label="Pages of calls, below the list" place=${place} next=${next} onTurn=${toHead} />`}
  <//></div>`;
}

export default function Calls() {
  const here = useHere();
  const route = useRoute();
  const [clears, setClears] = useState(0);
  const isRinging = route.value('ring') === '1' && here.mayChange;
  const of = (/** @type {string} */ name) => route.value(name);
  const place = usePlace(route);
  const set = (/** @type {Record<string, string>} */ next) => route.set({ after: null, ...next });
  // What is looked for is often a number or a name: no address shows it.
  const sought = route.kept('search');
  const seek = (/** @type {string} */ words) => {
    route.keep('search', words);
    set({});
  };
  const clear = () => {
    seek('');
    set({ status: '', direction: '', ended: '', cost: '', from: '', to: '' });
    setClears(clears + 1);
  };
  const cost = here.maySeeBusiness ? (COSTS.find(([value]) => value === of('cost')) ?? COSTS[0])[0] : '';
  const [least, most] = cost.split('-');
  const filters = { status: of('status'), call_type: of('direction'), search: sought, ended_reason: of('ended'), min_cost_pence: least, max_cost_pence: most, startDate: of('from'), endDate: of('to') };
  const isFiltered = Object.values(filters).some(Boolean);
  return html`<div class="page">
    <${PageHead}
      title="Calls"
      sub="Of the last 30 days, unless you choose others."
      actions=${here.mayChange && html`<${Button} icon="phoneOut" onClick=${() => route.set({ ring: '1' })}>Ring somebody<//>`}
    />
    <div class="filters">
      <${Search} key=${clears} label="Number, id or reason" value=${sought} onInput=${seek} />
      <${Select} label="Outcome" value=${of('status')} onInput=${(status) => set({ status })} options=${[['', 'Any'], ...CALL_STATUSES]} />
      <${Select} label="Direction" value=${of('direction')} onInput=${(direction) => set({ direction })} options=${[['', 'Both'], ['inbound', 'Inbound'], ['outbound', 'Outbound']]} />
      <${Select} label="How it ended" value=${of('ended')} onInput=${(reason) => set({ ended: reason })} options=${[['', 'Any way'], ...ENDINGS]} />
      ${here.maySeeBusiness && html`<${Select} label="Cost" value=${cost} onInput=${(next) => set({ cost: next })} options=${COSTS} />`}
      <${Text} label="From" type="date" value=${of('from')} onInput=${(from) => set({ from })} />
      <${Text} label="To" type="date" value=${of('to')} onInput=${(to) => set({ to })} />
      ${isFiltered && html`<${Button} kind="link" onClick=${clear}>Clear<//>`}
    </div>
    <${List} filters=${filters} isFiltered=${isFiltered} place=${place} />
    ${isRinging && html`<${Ring} contactId=${of('contact')} onClose=${() => route.set({ ring: null, contact: null })} />`}
  </div>`;
}
