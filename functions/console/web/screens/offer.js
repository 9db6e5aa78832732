// What can be booked: services, the people and rooms with their hours, and the clinic's calendars at Google.
import { call, changed, failureOf, useAction, useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { now } from '../lib/clock.js';
import { namesOf, useCatalog } from '../lib/diary.js';
import { html, useState } from '../lib/html.js';
import { Ending } from '../lib/standing.js';
import { moment } from '../lib/time.js';
import { Badge, Button, Card, Check, Confirm, Dialog, Empty, Facts, Form, Loaded, Note, PageHead, Problem, Select, Skeleton, Table, Text, toast } from '../lib/ui.js';
import { plain } from '../lib/words.js';
import { CalendarTabs } from './calendar.js';
import { Hours } from './hours.js';

// ---- Services -------------------------------------------------------------------------------------------------------

const FRESH = { name: '', duration_mins: 30, buffer_before_mins: 0, buffer_after_mins: 0, start_interval_mins: 15, needs: [[]], price_shown: '', intake: [], min_notice_mins: 60, horizon_days: 90, callers_may_book: true };

// Numbers of a form are text until they are sent.
/** @type {[string, string, number, number][]} */
const NUMBERS = [
  ['duration_mins', 'Length (minutes)', 5, 480],
  ['buffer_before_mins', 'Kept free before (minutes)', 0, 120],
  ['buffer_after_mins', 'Kept free after (minutes)', 0, 120],
  ['start_interval_mins', 'Begins every (minutes)', 5, 60],
  ['min_notice_mins', 'Callers book ahead at least (minutes)', 0, 43_200],
  ['horizon_days', 'Callers book ahead at most (days)', 1, 730],
];

/** What a patient is asked before it is booked. */
function Questions({ intake, onInput }) {
  const set = (/** @type {number} */ at, /** @type {any} */ next) => onInput(intake.map((one, which) => (which === at ? { ...one, ...next } : one)));
  return html`<fieldset>
    <legend>What patients are asked before they come</legend>
    <div class="stack">
      ${intake.map(
        (one, at) => html`<div class="fields" key=${at}>
          <${Text} label=${`Question ${at + 1}`} maxlength="150" value=${one.ask} onInput=${(ask) => set(at, { ask })} />
          <${Select} label=${`Answer to ${at + 1}`} value=${one.kind ?? 'text'} onInput=${(kind) => set(at, { kind })} options=${[['text', 'Anything'], ['yes_no', 'Yes or no'], ['choice', 'One of these']]} />
          ${one.kind === 'choice' && html`<${Text} label=${`Choices of ${at + 1}`} value=${(one.choices ?? []).join(', ')} onInput=${(text) => set(at, { choices: text.split(',').map((choice) => choice.trimStart()) })} hint="Two to eight, with commas between." />`}
          <div class="form-actions"><${Button} small icon="trash" onClick=${() => onInput(intake.filter((_, which) => which !== at))}>Take question ${at + 1} away<//></div>
        </div>`,
      )}
      ${intake.length < 8 && html`<div><${Button} small icon="plus" onClick=${() => onInput([...intake, { ask: '', kind: 'text' }])}>Add a question<//></div>`}
    </div>
  </fieldset>`;
}

/** The questions as the API takes them. @param {any[]} intake */
const asked = (intake) =>
  intake
    .filter((one) => one.ask.trim())
    .map((one) => ({ ask: one.ask.trim(), kind: one.kind ?? 'text', ...(one.kind === 'choice' && { choices: (one.choices ?? []).map((choice) => choice.trim()).filter(Boolean) }) }));

function ServiceDialog({ service, resources, onClose }) {
  const { id, version, ...terms } = { ...FRESH, ...service };
  const [form, setForm] = useState(/** @type {any} */ ({ ...terms, price_shown: terms.price_shown ?? '', ...Object.fromEntries(NUMBERS.map(([name]) => [name, String(terms[name])])) }));
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const [isEnding, setEnding] = useState(false);
  const action = useAction(async (send, /** @type {any} */ body) => {
    if (service) await send('PATCH', `/api/services/${encodeURIComponent(service.id)}`, { version: service.version, terms: body });
    else await send('POST', '/api/services', body);
    changed('/api/services', '/api/appointments/available-slots');
    toast('The service is saved.');
    onClose();
  });
  const set = (/** @type {string} */ name) => (/** @type {any} */ value) => setForm({ ...form, [name]: value });
  const toggle = (/** @type {number} */ at, /** @type {string} */ resource) =>
    set('needs')(form.needs.map((need, which) => (which !== at ? need : need.includes(resource) ? need.filter((one) => one !== resource) : [...need, resource])));
  const submit = () => {
    /** @type {Record<string, string>} */
    const wrong = {};
    if (!form.name.trim()) wrong.name = 'Give it the name that callers say.';
    for (const [name, , least, most] of NUMBERS) {
      const value = Number(form[name]);
      if (!/^\d+$/.test(form[name].trim()) || value < least || value > most) wrong[name] = `A whole number of ${least} to ${most.toLocaleString('en-GB')}.`;
    }
    if (form.needs.every((need) => need.length === 0)) wrong.needs = 'Choose who or what can do it.';
    setErrors(wrong);
    if (Object.keys(wrong).length > 0) return;
    const { price_shown: price, intake, ...rest } = form;
    action.run({
      ...rest,
      name: form.name.trim(),
      needs: form.needs.filter((need) => need.length > 0),
      ...Object.fromEntries(NUMBERS.map(([name]) => [name, Number(form[name])])),
      ...(price.trim() && { price_shown: price.trim() }),
      ...(asked(intake).length > 0 && { intake: asked(intake) }),
    });
  };
  if (isEnding) {
    return html`<${Ending} title=${`Stop offering “${service.name}”?`} verb="Stop offering it" end=${(send) => send('DELETE', `/api/services/${encodeURIComponent(service.id)}?version=${service.version}`)} done=${`${service.name} is no longer offered.`} onBack=${() => setEnding(false)} onClose=${onClose}>
      <p>Neither callers nor staff can book it from now on. What is booked stands.</p>
    <//>`;
  }
  return html`<${Dialog} title=${service ? 'Change the service' : 'Add a service'} wide onClose=${onClose}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <div class="fields">
          <${Text} label="Name" maxlength="80" value=${form.name} onInput=${set('name')} error=${errors.name} hint="As callers say it." />
          <${Text} label="Price that callers are told" maxlength="80" value=${form.price_shown} onInput=${set('price_shown')} hint="In words, such as 60 pounds." />
        </div>
        <div class="fields">${NUMBERS.map(([name, label]) => html`<${Text} key=${name} label=${label} inputmode="numeric" value=${form[name]} onInput=${set(name)} error=${errors[name]} />`)}</div>
        ${form.needs.map(
          (need, at) => html`<fieldset key=${at}>
            <legend>${at === 0 ? 'Who or what can do it: any one of these' : 'And, at the same time, any one of these'}</legend>
            <div class="row">${resources.map((one) => html`<${Check} key=${one.id} label=${one.name} checked=${need.includes(one.id)} onInput=${() => toggle(at, one.id)} />`)}</div>
          </fieldset>`,
        )}
        ${errors.needs && html`<p class="field-error">${errors.needs}</p>`}
        ${form.needs.length < 4 && resources.length > 1 && html`<div><${Button} small icon="plus" onClick=${() => set('needs')([...form.needs, []])}>It needs another at the same time<//></div>`}
        <${Questions} intake=${form.intake} onInput=${set('intake')} />
        <${Check} label="Callers may book it" hint="Staff always may." checked=${form.callers_may_book} onInput=${set('callers_may_book')} />
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Save<//><${Button} onClick=${onClose}>Cancel<//>${service && html`<${Button} kind="danger" icon="trash" onClick=${() => setEnding(true)}>Stop offering it<//>`}</div>
      </div>
    <//>
  <//>`;
}

function Services() {
  const here = useHere();
  const catalog = useCatalog();
  const [edited, setEdited] = useState(/** @type {any} */ (null));
  const columns = [
    { name: 'name', label: 'Service', main: true, cell: (one) => one.name },
    { name: 'length', label: 'Length', cell: (one) => html`<span class="num">${one.duration_mins} min</span>${one.buffer_before_mins + one.buffer_after_mins > 0 && html`<small>and ${one.buffer_before_mins + one.buffer_after_mins} min kept free</small>`}` },
    { name: 'who', label: 'With', long: true, cell: (one) => one.needs.map((need) => namesOf(catalog.resources, need).replaceAll(', ', ' or ')).join(', and ') },
    { name: 'price', label: 'Price told', long: true, cell: (one) => one.price_shown ?? '–' },
    { name: 'callers', label: 'Booked by', cell: (one) => (one.callers_may_book ? html`<${Badge} tone="good">Callers and staff<//>` : html`<${Badge}>Staff only<//>`) },
    here.mayChange && { name: 'change', label: '', align: 'end', cell: (one) => html`<${Button} small icon="edit" aria-label=${`Change ${one.name}`} onClick=${() => setEdited(one)}>Change<//>` },
  ].filter(Boolean);
  return html`<${Card} kind="card-flush" title="Services" sub="What callers and staff can book." actions=${here.mayChange && catalog.resources && html`<${Button} icon="plus" onClick=${() => setEdited('new')}>Add a service<//>`}>
    ${
      !catalog.services || !catalog.resources
        ? catalog.failure
          ? html`<${Problem} failure=${catalog.failure} onRetry=${catalog.reload} />`
          : html`<${Skeleton} lines=${6} />`
        : catalog.services.length === 0
          ? html`<${Empty} icon="calendar" title="There is no service yet.">${catalog.resources.length === 0 ? 'Add people or rooms first, under “People and hours”; then what they do.' : 'Add what the clinic offers: the receptionist books nothing else.'}<//>`
          : html`<${Table} caption="Services" columns=${columns} rows=${catalog.services} rowKey=${(one) => one.id} />`
    }
    ${edited && html`<${ServiceDialog} service=${edited === 'new' ? null : edited} resources=${catalog.resources} onClose=${() => setEdited(null)} />`}
  <//>`;
}

// ---- Google Calendar ------------------------------------------------------------------------------------------------

/** @type {Record<string, [string, string]>} */
const STATES = { active: ['In use', 'good'], unused: ['Not used', 'quiet'], broken: ['Cannot be read', 'bad'], asking: ['Much was deleted in it: please look', 'warn'] };

function useConnect() {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState(/** @type {any} */ (null));
  const connect = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const { data } = await call('GET', '/api/google-oauth/authorize', { credentials: 'include' });
      location.assign(data.url);
    } catch (error) {
      setFailure(failureOf(error));
      setBusy(false);
    }
  };
  return { connect, isBusy, failure };
}

function CalendarDialog({ calendar, resources, onClose }) {
  const [chosen, setChosen] = useState(/** @type {string[]} */ (calendar.resource_ids));
  const action = useAction(async (send) => {
    await send('PATCH', `/api/calendars/${encodeURIComponent(calendar.id)}`, { version: calendar.version, resource_ids: chosen });
    changed('/api/calendars', '/api/google-oauth/status', '/api/appointments');
    toast('The calendar is saved.');
    onClose();
  });
  const toggle = (/** @type {string} */ id) => setChosen(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  return html`<${Dialog} title=${`Whose time is “${calendar.name}”?`} onClose=${onClose}>
    <div class="stack">
      <p class="sub">Its events block these people and rooms, and it gets their appointments. With none it is not used.</p>
      ${resources.map((one) => html`<${Check} key=${one.id} label=${one.name} checked=${chosen.includes(one.id)} onInput=${() => toggle(one.id)} />`)}
      <${Problem} failure=${action.failure} onRetry=${action.failure?.code === 'version_conflict' ? () => { changed('/api/calendars'); onClose(); } : null} />
      <div class="form-actions"><${Button} kind="primary" isBusy=${action.isBusy} onClick=${() => action.run()}>Save<//><${Button} onClick=${onClose}>Cancel<//></div>
    </div>
  <//>`;
}

function Calendars({ status }) {
  const here = useHere();
  const list = useGet('/api/calendars', { every: 30_000 });
  const catalog = useCatalog();
  const [edited, setEdited] = useState(/** @type {any} */ (null));
  const title = useAction(async (send, /** @type {string} */ next) => {
    await send('PATCH', '/api/calendars', { title: next });
    changed('/api/calendars');
    toast('Saved. Events show it from now on.');
  });
  const columns = [
    { name: 'name', label: 'Calendar', main: true, cell: (one) => one.name },
    { name: 'whose', label: 'Whose time', long: true, cell: (one) => (one.resource_ids.length > 0 ? namesOf(catalog.all, one.resource_ids) : 'Nobody’s') },
    { name: 'state', label: 'State', cell: (one) => html`<${Badge} tone=${(STATES[one.state] ?? ['', 'quiet'])[1]}>${(STATES[one.state] ?? [plain(one.state)])[0]}<//>${one.access === 'read' && html`<small>May be read, not written: it gets no appointments.</small>`}` },
    { name: 'synced', label: 'Read last', cell: (one) => (one.last_synced_at ? html`<span class="num">${moment(one.last_synced_at, here.zone)}</span><small>${one.watched ? 'Tells us of changes at once' : 'Asked every ten minutes'}</small>` : '–') },
    here.mayChange && { name: 'change', label: '', align: 'end', cell: (one) => html`<${Button} small icon="edit" aria-label=${`Change whose time ${one.name} is`} onClick=${() => setEdited(one)}>Change<//>` },
  ].filter(Boolean);
  return html`<${Card} kind="card-flush" title="Calendars" sub=${`Of the account ${status.account ?? ''}`}>
      <${Loaded} from=${list} lines=${5}>
        ${(data) => (data.calendars.length === 0 ? html`<${Empty} icon="calendar" title="The account has no calendar.">Make one for each practitioner at Google, then look again.<//>` : html`<${Table} caption="Calendars" columns=${columns} rows=${data.calendars} rowKey=${(one) => one.id} />`)}
      <//>
    <//>
    ${
      list.data &&
      here.mayChange &&
      html`<${Card} title="What titles of events show">
        <div class="stack">
          <${Select}
            label="Title"
            value=${list.data.title}
            onInput=${(next) => title.run(next)}
            options=${[...new Set(['reference', 'first_name', list.data.title])].map((one) => [one, { reference: 'A reference', first_name: 'First name and initial' }[one] ?? plain(one)])}
            hint="Whoever may see the calendar at Google sees the titles. A reference says nothing about the patient."
          />
          <${Problem} failure=${title.failure} />
        </div>
      <//>`
    }
    ${edited && html`<${CalendarDialog} calendar=${edited} resources=${(catalog.all ?? []).filter((one) => !catalog.former.includes(one) || edited.resource_ids.includes(one.id))} onClose=${() => setEdited(null)} />`}`;
}

function Sync() {
  const here = useHere();
  const status = useGet('/api/google-oauth/status', { every: 30_000 });
  const connect = useConnect();
  const [isAsking, setAsking] = useState(false);
  const revoke = useAction(async (send) => {
    await send('POST', '/api/google-oauth/revoke');
    changed('/api/google-oauth/status', '/api/calendars', '/api/appointments');
    setAsking(false);
    toast('The calendar is disconnected.');
  });
  /** @type {Record<string, [string, string]>} */
  const words = { connected: ['Connected', 'good'], broken: ['The consent does not hold any more', 'bad'], disconnected: ['Disconnected', 'quiet'], none: ['Not connected', 'quiet'] };
  return html`<${Loaded} from=${status} lines=${4}>
    ${(data) => html`<${Card}
        title="Google Calendar"
        sub="Appointments are written into it, and what stands there blocks times."
        actions=${
          here.mayChange &&
          html`${data.connected && html`<${Button} small onClick=${() => setAsking(true)}>Disconnect<//>`}
          <${Button} small kind=${data.connected ? 'plain' : 'primary'} icon="calendar" isBusy=${connect.isBusy} onClick=${connect.connect}>${data.state === 'none' || data.state === 'disconnected' ? 'Connect' : 'Connect again'}<//>`
        }
      >
        <div class="stack">
          <${Problem} failure=${connect.failure} onRetry=${connect.connect} />
          <${Facts}
            items=${[
              ['State', html`<${Badge} tone=${(words[data.state] ?? words.none)[1]}>${(words[data.state] ?? words.none)[0]}<//>`],
              data.account && ['Account', data.account],
              data.connected_at && ['Since', html`<span class="num">${moment(data.connected_at, here.zone)}</span>`],
              ['Calendars in use', String(data.calendars)],
            ]}
          />
          ${data.state === 'broken' && html`<${Note} tone="warn">Appointments are booked as before; they come into the calendar once it is connected again.<//>`}
        </div>
      <//>
      ${data.connected && html`<${Calendars} status=${data} />`}`}
  <//>
  ${isAsking && html`<${Confirm} title="Disconnect Google Calendar?" verb="Disconnect" danger action=${revoke} onClose=${() => setAsking(false)} onConfirm=${() => revoke.run()}><p>Appointments stay here, and in the calendar as they are now. What is booked from now on is not written there, and what stands there blocks nothing any more.</p><//>`}`;
}

export default function Offer({ part }) {
  const titles = { services: 'Services', hours: 'People and hours', sync: 'Google Calendar' };
  return html`<div class="page">
    <${PageHead} title=${titles[part]} />
    <${CalendarTabs} current=${`/calendar/${part}`} />
    ${part === 'services' ? html`<${Services} />` : part === 'hours' ? html`<${Hours} />` : html`<${Sync} />`}
  </div>`;
}
