// The way to the first call: each step is done when the facts say so, and the clinic's line is diverted and tried.
import { changed, useAction, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { html, useState } from '../lib/html.js';
import { phone } from '../lib/phone.js';
import { clock } from '../lib/time.js';
import { Badge, Button, ButtonLink, Card, Copy, Facts, Form, Icon, Loaded, Note, PageHead, Problem, Select, Text, classes, toast } from '../lib/ui.js';
import { plain } from '../lib/words.js';

const STATUS = '/api/onboarding/status';

/** What each step is called, where it is done, and what it says when it is. @type {Record<string, [string, string, string, string]>} */
const STEPS = {
  money: ['Put money in', '/wallet?topup=open', 'Top up', 'The wallet pays for a call.'],
  number: ['Have a number', '/numbers', 'To the numbers', 'Patients’ calls can arrive.'],
  agent: ['Make the agent the clinic’s own', '/agents', 'To the agent', 'It is at the voice service and has the number.'],
  services_and_hours: ['Say what can be booked, and when', '/calendar/services', 'To the services', 'Callers can book.'],
  calendar: ['Connect the calendar', '/calendar/sync', 'To the calendar', 'Appointments stand in Google Calendar, and what stands there blocks times.'],
  diversion: ['Divert the clinic’s line', '#diversion', 'See how', 'A call to the clinic’s line was seen to arrive here.'],
  first_call: ['Talk to the receptionist', '/today', 'Watch it ring', 'Somebody has talked to her.'],
};

function Steps({ steps }) {
  const here = useHere();
  const needed = steps.findIndex((one) => !one.done && !one.optional);
  const next = needed >= 0 ? needed : steps.findIndex((one) => !one.done);
  return html`<ol class="steps">
    ${steps.map((one, at) => {
      const [name, to, verb, done] = STEPS[one.step] ?? [plain(one.step), '/today', 'Open', 'Done.'];
      const kind = at === next && here.mayChange ? 'primary' : 'plain';
      return html`<li key=${one.step} class=${classes(one.done && 'step-done')}>
        <span class="step-mark">${one.done ? html`<${Icon} name="check" size=${16} /><span class="unseen">Done</span>` : at + 1}</span>
        <div>
          <div class="row"><h2>${name}</h2>${one.optional && !one.done && html`<${Badge}>May be left out<//>`}</div>
          <p class="sub">${one.done ? done : one.what_to_do}</p>
        </div>
        <div class="actions">${to.startsWith('#') ? html`<a class=${`button button-small button-${kind}`} href=${to}><span>${verb}</span></a>` : html`<${ButtonLink} small to=${to} kind=${kind}>${verb}<//>`}</div>
      </li>`;
    })}
  </ol>`;
}

/** What is dialled, to copy. */
const Code = ({ code, what }) => html`<span class="id"><code>${code}</code><${Copy} value=${code} what=${what} /></span>`;

function Codes({ diversion }) {
  const [chosen, setChosen] = useState('0');
  const one = diversion.codes[Number(chosen)];
  if (!one) return null;
  const when = [
    ['Every call', one.all_calls, 'code for every call'],
    ['While the line is busy', one.busy, 'code for a busy line'],
    ['When nobody answers', one.no_answer, 'code for when nobody answers'],
  ];
  return html`<div class="stack">
    <${Select} label="The line’s carrier" value=${chosen} onInput=${setChosen} options=${diversion.codes.map((code, at) => [String(at), `${code.country}: ${code.carrier}`])} />
    <p class="sub">Dial it on the clinic’s line. The receptionist then has ${diversion.number ? 'what is diverted' : 'it, once there is a number'}.</p>
    <${Facts} items=${when.map(([name, codes, what]) => [name, html`<${Code} code=${codes.on} what=${what} /><span class="fine"> ended by <code>${codes.off}</code></span>`])} />
    <p class="fine wrap">As ${one.source} has it. Your carrier’s own page holds.</p>
  </div>`;
}

/** @type {Record<string, [string, 'info' | 'good' | 'warn']>} */
const TESTS = { waiting: ['Waiting for the call', 'info'], seen: ['The line leads here', 'good'], not_seen: ['No call was seen', 'warn'] };

function Trial({ test }) {
  const here = useHere();
  const [form, setForm] = useState({ line: test?.main_line ?? '', from: test?.from ?? '' });
  const [error, setError] = useState('');
  const action = useAction(async (send) => {
    const number = (/** @type {string} */ text) => text.replaceAll(/[\s().-]/g, '');
    await send('POST', '/api/onboarding/diversion-test', { main_line: number(form.line), from: number(form.from) });
    changed(STATUS);
    toast('The test has begun. Ring the clinic’s line now.');
  });
  const submit = () => {
    const wrong = [form.line, form.from].some((text) => !/^\+\d[\d\s().-]{6,}$/.test(text.trim())) ? 'Write both numbers with their country, such as +44 20 7946 0000.' : '';
    setError(wrong);
    if (!wrong) action.run();
  };
  const set = (/** @type {string} */ name) => (/** @type {string} */ value) => setForm({ ...form, [name]: value });
  const [title, tone] = TESTS[test?.status] ?? ['', 'info'];
  return html`<div class="stack">
    <p class="sub">Ring the clinic’s line from a telephone that shows its number: the test ticks when that call arrives here.</p>
    ${
      test &&
      html`<${Note} tone=${tone} title=${title}>
        ${test.what_to_do}
        ${test.status === 'waiting' && html`<p class="fine">From ${phone(test.from)} to ${phone(test.main_line)}, until ${clock(test.ends_at, here.zone)}.</p>`}
      <//>`
    }
    ${
      here.mayChange &&
      html`<${Form} onSubmit=${submit}>
        <div class="stack">
          <div class="fields">
            <${Text} label="The clinic’s line" type="tel" autocomplete="off" value=${form.line} onInput=${set('line')} />
            <${Text} label="The telephone that rings it" type="tel" autocomplete="off" value=${form.from} onInput=${set('from')} />
          </div>
          ${error && html`<div role="alert"><${Note} tone="bad">${error}<//></div>`}
          <${Problem} failure=${action.failure} />
          <div class="form-actions"><${Button} type="submit" icon="phone" isBusy=${action.isBusy}>${test ? 'Begin the test anew' : 'Begin the test'}<//></div>
        </div>
      <//>`
    }
  </div>`;
}

export default function Start() {
  const status = useGet(STATUS, { every: (data) => (data?.diversion.test?.status === 'waiting' ? 3_000 : 20_000) });
  const steps = status.data?.steps ?? [];
  const done = steps.filter((one) => one.done).length;
  return html`<div class="page">
    <${PageHead} title="Start" sub=${status.data ? `${done} of ${steps.length} steps are done.` : 'From an empty account to the first call.'} />
    <${Loaded} from=${status} height="560px">
      ${(data) => html`${data.complete && html`<${Note} tone="good" title="All is set.">The receptionist answers, books, and is paid for. Today shows what goes on.<//>`}
        <${Card}><${Steps} steps=${data.steps} /><//>
        <div class="columns">
          <${Card} id="diversion" title="Divert the clinic’s line" sub=${data.diversion.number ? `To ${phone(data.diversion.number)}` : null}><${Codes} diversion=${data.diversion} /><//>
          <${Card} title="See that it leads here"><${Trial} test=${data.diversion.test} /><//>
        </div>`}
    <//>
  </div>`;
}
