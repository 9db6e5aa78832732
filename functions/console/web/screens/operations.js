// For operators: how the schedules' runs went, doubts, wallets, and numbers that no record claims.
import { changed, query, useAction, useGet } from '../lib/api.js';
import { html, useState } from '../lib/html.js';
import { money, pence } from '../lib/money.js';
import { useRoute } from '../lib/router.js';
import { duration, moment } from '../lib/time.js';
import { Badge, Button, Card, Confirm, Dialog, Empty, Facts, Form, Id, Loaded, Note, PageHead, Problem, Select, Table, Text, toast } from '../lib/ui.js';
import { plain } from '../lib/words.js';

const ZONE = 'UTC';
const at = (/** @type {string} */ time) => html`<span class="num">${moment(time, ZONE)}</span>`;
const TASKS = [['calls', 'Live calls, every minute'], ['listing', 'Vapi’s list of calls, every 15 minutes'], ['payments', 'Stripe’s events, every hour'], ['numbers', 'The vendors’ numbers, every day'], ['books', 'Every wallet against its ledger, every day'], ['appointments', 'Every appointment against the times it takes, every day']];
const ORG = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

// ---- Runs -----------------------------------------------------------------------------------------------------------

const Findings = ({ list }) => html`<ul class="stack" style=${{ gap: '0.25rem' }}>${list.map((one, which) => html`<li key=${which}>${plain(one.what)} <${Id} value=${one.id} what="id of what was found" /></li>`)}</ul>`;

function Runs() {
  const route = useRoute();
  const task = route.value('task');
  const runs = useGet(query('/api/operations/reconciliation', { task, limit: task ? 50 : 5 }), { every: 20_000 });
  const columns = [
    { name: 'task', label: 'Task', main: true, cell: (run) => (TASKS.find(([name]) => name === run.task) ?? [0, run.task])[1].split(',')[0] },
    { name: 'when', label: 'Began', cell: (run) => at(run.startedAt) },
    { name: 'took', label: 'Took', align: 'end', cell: (run) => `${Math.max(0, Date.parse(run.finishedAt) - Date.parse(run.startedAt)).toLocaleString('en-GB')} ms` },
    { name: 'checked', label: 'Checked', align: 'end', cell: (run) => run.checked.toLocaleString('en-GB') },
    { name: 'repaired', label: 'Repaired', long: true, cell: (run) => (run.repaired.length > 0 ? html`<${Findings} list=${run.repaired} />` : '–') },
    { name: 'left', label: 'Left', long: true, cell: (run) => (run.left.length > 0 ? html`<${Findings} list=${run.left} />` : '–') },
    { name: 'state', label: 'State', cell: (run) => (!run.complete ? html`<${Badge} tone="warn">Broken off<//>` : run.left.length > 0 ? html`<${Badge} tone="bad">Needs a hand<//>` : html`<${Badge} tone="good">Clean<//>`) },
  ];
  return html`<div class="filters"><${Select} label="Task" value=${task} onInput=${(next) => route.set({ task: next })} options=${[['', 'All, the last five of each'], ...TASKS]} /></div>
    <${Card} kind="card-flush" title="Runs" sub="Times in UTC.">
      <${Loaded} from=${runs} lines=${8}>
        ${(data) => (data.runs.length === 0 ? html`<${Empty} icon="refresh" title="No run yet.">The first begins a minute after the start.<//>` : html`<${Table} caption="Runs of the schedules" columns=${columns} rows=${data.runs} rowKey=${(run) => `${run.task}/${run.startedAt}`} />`)}
      <//>
    <//>`;
}

// ---- Doubts ---------------------------------------------------------------------------------------------------------

function Accept({ doubt, onClose }) {
  const action = useAction(async (send) => {
    const { data } = await send('POST', `/api/operations/doubts/${encodeURIComponent(doubt.orgId)}/${encodeURIComponent(doubt.callId)}/accept`);
    changed('/api/operations/doubts');
    toast(`Booked: the call cost ${money(data.chargedPence)} in all.`);
    onClose();
  });
  return html`<${Confirm} title="Book the difference?" verb=${`Book ${money(doubt.amountPence)}`} action=${action} onClose=${onClose} onConfirm=${() => action.run()}>
    <p>The call was billed for ${duration(doubt.billedSecs)}; it is stated to have lasted ${duration(doubt.statedSecs)}. The clinic is charged ${money(doubt.amountPence)} more. Look at the call at the vendor first.</p>
  <//>`;
}

function Doubts() {
  const doubts = useGet('/api/operations/doubts', { every: 30_000 });
  const [accepted, setAccepted] = useState(/** @type {any} */ (null));
  const columns = [
    { name: 'call', label: 'Call', main: true, cell: (one) => html`<${Id} value=${one.callId} what="call’s id" />` },
    { name: 'org', label: 'Clinic', long: true, cell: (one) => html`<${Id} value=${one.orgId} what="clinic’s id" />` },
    { name: 'secs', label: 'Billed, stated', cell: (one) => html`<span class="num">${duration(one.billedSecs)}, ${duration(one.statedSecs)}</span><small>${one.why === 'unconfirmed' ? 'Our records cannot confirm so long a call' : 'The vendor said so later'}</small>` },
    { name: 'amount', label: 'Amount', align: 'end', cell: (one) => money(one.amountPence) },
    { name: 'lapses', label: 'Lapses', cell: (one) => at(one.lapsesAt) },
    { name: 'accept', label: '', align: 'end', cell: (one) => html`<${Button} small onClick=${() => setAccepted(one)}>Accept<//>` },
  ];
  return html`<${Card} kind="card-flush" title="Doubts" sub="What vendors state of calls beyond what is billed. One that nobody accepts lapses after 14 days.">
    <${Loaded} from=${doubts} lines=${4}>
      ${(data) => (data.doubts.length === 0 ? html`<${Empty} icon="check" title="Nothing is doubted.">Calls that a vendor states to be longer than our records confirm stand here.<//>` : html`<${Table} caption="Doubts, the oldest first" columns=${columns} rows=${data.doubts} rowKey=${(one) => `${one.orgId}/${one.callId}`} />`)}
    <//>
    ${accepted && html`<${Accept} doubt=${accepted} onClose=${() => setAccepted(null)} />`}
  <//>`;
}

// ---- Wallets --------------------------------------------------------------------------------------------------------

function Adjust({ org, onClose }) {
  const [form, setForm] = useState({ direction: 'credit', amount: '', reason: '' });
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const action = useAction(async (send) => {
    const { data } = await send('POST', `/api/operations/wallets/${org}/adjustments`, { amountPence: pence(form.amount), direction: form.direction, reason: form.reason.trim() }, { idIsKey: true });
    changed('/api/operations/wallets');
    toast(`Booked. The balance is ${money(data.balanceAfterPence)}.`);
    onClose();
  });
  const submit = () => {
    const amount = pence(form.amount);
    const wrong = { amount: amount === null || amount < 1 || amount > 100_000 ? `From £0.01 to ${money(100_000)}.` : '', reason: form.reason.trim() ? '' : 'Say why: the clinic’s statement shows it.' };
    setErrors(wrong);
    if (!wrong.amount && !wrong.reason) action.run();
  };
  const set = (/** @type {string} */ name) => (/** @type {string} */ value) => setForm({ ...form, [name]: value });
  return html`<${Dialog} title="Correct a wallet by hand" onClose=${onClose}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <${Select} label="Direction" value=${form.direction} onInput=${set('direction')} options=${[['credit', 'Credit: the clinic gets it'], ['debit', 'Debit: the clinic pays it']]} />
        <${Text} label="Amount (£)" inputmode="decimal" autocomplete="off" value=${form.amount} onInput=${set('amount')} error=${errors.amount} />
        <${Text} label="Reason" maxlength="200" value=${form.reason} onInput=${set('reason')} error=${errors.reason} hint="The clinic’s statement shows it for ever." />
        <p class="fine">Where no answer comes, send the same again: within ten minutes it is booked once.</p>
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Book it<//><${Button} onClick=${onClose}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

function WithReason({ title, verb, post, done, onClose, needsCalls = false }) {
  const [reason, setReason] = useState('');
  const [calls, setCalls] = useState('10');
  const [error, setError] = useState('');
  const action = useAction(async (send) => {
    await post(send, { reason: reason.trim(), ...(needsCalls && { calls: Number(calls) }) });
    changed('/api/operations/wallets');
    toast(done);
    onClose();
  });
  const submit = () => {
    const wrong = !reason.trim() ? 'Say why: it is kept.' : needsCalls && !/^[1-9]\d*$/.test(calls.trim()) ? 'A whole number of calls, 1 or more.' : '';
    setError(wrong);
    if (!wrong) action.run();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        ${needsCalls && html`<${Text} label="Calls at a time" inputmode="numeric" value=${calls} onInput=${setCalls} />`}
        <${Text} label="Reason" maxlength="200" value=${reason} onInput=${setReason} />
        ${error && html`<div role="alert"><${Note} tone="bad">${error}<//></div>`}
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>${verb}<//><${Button} onClick=${onClose}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

function Wallet({ org }) {
  const route = useRoute();
  const before = route.value('before');
  const acts = useGet(query(`/api/operations/wallets/${org}/acts`, { before }));
  const [dialog, setDialog] = useState('');
  const close = () => setDialog('');
  const columns = [
    { name: 'action', label: 'What', main: true, cell: (act) => plain(act.action) },
    { name: 'when', label: 'When', cell: (act) => at(act.at) },
    { name: 'who', label: 'Who', long: true, cell: (act) => act.user },
    { name: 'why', label: 'Why', long: true, cell: (act) => act.reason ?? '–' },
    { name: 'id', label: 'Act', cell: (act) => html`<${Id} value=${act.id} what="act’s id" />` },
  ];
  return html`<${Card} title="What can be done">
      <div class="row">
        <${Button} icon="edit" onClick=${() => setDialog('adjust')}>Adjust<//>
        <${Button} icon="check" onClick=${() => setDialog('unfreeze')}>Unfreeze<//>
        <${Button} icon="phone" onClick=${() => setDialog('limit')}>Calls at a time<//>
      </div>
    <//>
    <${Card} kind="card-flush" title="What operators did" sub="Times in UTC.">
      <${Loaded} from=${acts} lines=${4}>
        ${(data) => html`${data.acts.length === 0 ? html`<${Empty} icon="shield" title="Nothing yet.">Every act of an operator on this clinic’s money stands here.<//>` : html`<${Table} caption="Acts, the newest first" columns=${columns} rows=${data.acts} rowKey=${(act) => act.id} />`}
          ${(data.nextBefore || before) && html`<div class="more row">${before && html`<${Button} small onClick=${() => route.set({ before: null })}>The newest<//>`}${data.nextBefore && html`<${Button} small onClick=${() => route.set({ before: data.nextBefore })}>Older ones<//>`}</div>`}`}
      <//>
    <//>
    ${dialog === 'adjust' && html`<${Adjust} org=${org} onClose=${close} />`}
    ${dialog === 'unfreeze' && html`<${WithReason} title="Let the wallet be spent from again" verb="Unfreeze" done="The wallet may be spent from." post=${(send, body) => send('POST', `/api/operations/wallets/${org}/unfreeze`, body)} onClose=${close} />`}
    ${dialog === 'limit' && html`<${WithReason} title="How many calls at a time" verb="Set" needsCalls done="The limit is set. Calls that go on stay." post=${(send, body) => send('POST', `/api/operations/wallets/${org}/call-limit`, body)} onClose=${close} />`}`;
}

function Wallets() {
  const route = useRoute();
  const org = route.value('org');
  const [text, setText] = useState(org);
  const [error, setError] = useState('');
  const submit = () => {
    const wanted = text.trim().toLowerCase();
    if (!ORG.test(wanted)) setError('A clinic’s id looks like de300000-0000-4000-8000-000000000001.');
    else {
      setError('');
      route.set({ org: wanted, before: null });
    }
  };
  return html`<${Card}>
      <${Form} onSubmit=${submit}><div class="stack">
        <${Text} label="The clinic’s id" autocomplete="off" spellcheck="false" value=${text} onInput=${setText} error=${error} />
        <div class="form-actions"><${Button} kind="primary" type="submit" icon="search">Open<//></div>
      </div><//>
    <//>
    ${ORG.test(org) && html`<${Wallet} key=${org} org=${org} />`}`;
}

// ---- Numbers that no record claims ----------------------------------------------------------------------------------

function Decide({ orphan, onClose }) {
  const [reason, setReason] = useState('');
  const [error, setError] = useState('');
  const action = useAction(async (send) => {
    await send(orphan.isAllowed ? 'DELETE' : 'POST', '/api/operations/orphans/give-back', { place: orphan.place, reason: reason.trim() });
    changed('/api/operations/orphans');
    toast(orphan.isAllowed ? 'The number stays.' : 'The next daily run gives it back, if no record claims it then.');
    onClose();
  });
  const submit = () => {
    setError(reason.trim() ? '' : 'Say what was looked at.');
    if (reason.trim()) action.run();
  };
  return html`<${Dialog} title=${orphan.isAllowed ? 'Keep this number?' : 'Let this number go?'} onClose=${onClose}>
    <${Form} onSubmit=${submit}><div class="stack">
      <p class="wrap"><code>${orphan.place}</code></p>
      <${Text} label="What was looked at" maxlength="200" value=${reason} onInput=${setReason} error=${error} />
      <${Problem} failure=${action.failure} />
      <div class="form-actions"><${Button} kind=${orphan.isAllowed ? 'primary' : 'danger'} type="submit" isBusy=${action.isBusy}>${orphan.isAllowed ? 'Keep it' : 'Let it go'}<//><${Button} onClick=${onClose}>Cancel<//></div>
    </div><//>
  <//>`;
}

function Orphans() {
  const orphans = useGet('/api/operations/orphans', { every: 60_000 });
  const [decided, setDecided] = useState(/** @type {any} */ (null));
  const columns = [
    { name: 'place', label: 'Where', main: true, cell: (one) => html`<code>${one.place}</code>` },
    { name: 'since', label: 'First seen', cell: (one) => at(one.firstSeenAt) },
    { name: 'said', label: 'Decided', long: true, cell: (one) => (one.isAllowed ? html`<${Badge} tone="warn">May go<//><small>${one.allowedBy}: ${one.reason}</small>` : html`<${Badge}>Stays<//>`) },
    { name: 'decide', label: '', align: 'end', cell: (one) => html`<${Button} small onClick=${() => setDecided(one)}>${one.isAllowed ? 'Keep it' : 'Let it go'}<//>` },
  ];
  return html`<${Card} kind="card-flush" title="Numbers that no record claims" sub="Under our mark at a vendor, at the last daily run.">
    <${Loaded} from=${orphans} lines=${4}>
      ${(data) => (data.orphans.length === 0 ? html`<${Empty} icon="check" title="Every number is somebody’s.">What the daily run finds unclaimed stands here until somebody decides.<//>` : html`<${Table} caption="Unclaimed numbers" columns=${columns} rows=${data.orphans} rowKey=${(one) => one.place} />`)}
    <//>
    ${decided && html`<${Decide} orphan=${decided} onClose=${() => setDecided(null)} />`}
  <//>`;
}

// ---- Clinics --------------------------------------------------------------------------------------------------------

function NewClinic() {
  const [form, setForm] = useState({ name: '', zone: 'Europe/London', email: '' });
  const [error, setError] = useState('');
  const [made, setMade] = useState(/** @type {any} */ (null));
  const action = useAction(async (send) => {
    const { data } = await send('POST', '/api/operations/clinics', { name: form.name.trim(), time_zone: form.zone.trim(), owner_email: form.email.trim() });
    setMade(data);
    setForm({ ...form, name: '', email: '' });
  });
  const set = (/** @type {string} */ name) => (/** @type {string} */ value) => setForm({ ...form, [name]: value });
  const submit = () => {
    const wrong = !form.name.trim() ? 'Give the clinic its name.' : !form.email.includes('@') ? 'Who is its owner?' : '';
    setError(wrong);
    if (!wrong) action.run();
  };
  return html`<${Card} title="A new clinic" sub="Its owner is invited by mail. The same owner is asked for once, however often this is sent.">
      <${Form} onSubmit=${submit}><div class="stack">
        <div class="fields">
          <${Text} label="Name" autocomplete="off" value=${form.name} onInput=${set('name')} />
          <${Text} label="Time zone" autocomplete="off" spellcheck="false" value=${form.zone} onInput=${set('zone')} hint="Such as Europe/London." />
          <${Text} label="Owner’s e-mail" type="email" autocomplete="off" value=${form.email} onInput=${set('email')} />
        </div>
        ${error && html`<div role="alert"><${Note} tone="bad">${error}<//></div>`}
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Make the clinic<//></div>
      </div><//>
    <//>
    ${
      made &&
      html`<${Card} title=${made.name ?? 'The clinic'}>
        <div class="stack"><${Facts} items=${[['Id', html`<${Id} value=${made.org_id} what="clinic’s id" />`], ['Time zone', made.time_zone], ['Owner', `${made.owner_email}: ${made.owner_status === 'invited' ? 'invited' : 'the issuer is still to be told'}`]]} /></div>
      <//>`
    }`;
}

const PARTS = { '': ['Runs', Runs], clinics: ['New clinic', NewClinic], doubts: ['Doubts', Doubts], wallets: ['Wallets', Wallets], orphans: ['Unclaimed numbers', Orphans] };

export default function Operations({ part = '' }) {
  const found = PARTS[part];
  if (!found) return html`<${PageHead} title="Operations" /><${Empty} icon="search" title="There is nothing at this address.">Choose from the menu.<//>`;
  const [title, Part] = found;
  return html`<div class="page"><${PageHead} title=${title} sub="Of every clinic." /><${Part} /></div>`;
}
