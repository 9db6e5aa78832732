// The people and rooms that are booked, and their hours.
import { changed, useAction } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { now } from '../lib/clock.js';
import { DAYS, useCatalog } from '../lib/diary.js';
import { html, useState } from '../lib/html.js';
import { Ending, Standing, stands } from '../lib/standing.js';
import { dayOf, instant, moment, timeOfDay } from '../lib/time.js';
import { Button, Card, Dialog, Empty, Form, Note, Problem, Skeleton, Table, Text, toast } from '../lib/ui.js';
import { plain } from '../lib/words.js';

const short = (/** @type {{from: string, to: string}[]} */ spans) => spans.map((span) => `${span.from.slice(0, 5)}–${span.to.slice(0, 5)}`).join(', ');

/** The week in a few lines: days that are alike stand together. @param {any} resource */
function week(resource) {
  /** @type {{days: string[], text: string}[]} */
  const lines = [];
  for (const day of DAYS) {
    const text = short(resource.weekly[day] ?? []);
    const last = lines.at(-1);
    if (last && last.text === text) last.days.push(day);
    else lines.push({ days: [day], text });
  }
  const name = (/** @type {string} */ day) => plain(day).slice(0, 3);
  return lines.filter((line) => line.text).map((line) => `${name(line.days[0])}${line.days.length > 1 ? `–${name(line.days[line.days.length - 1])}` : ''} ${line.text}`);
}

/** A time of day by 24 hours, as every other time here, whatever the browser's language is. */
function TimeInput({ label, value, onInput }) {
  const shown = value.slice(0, 5);
  const leave = (/** @type {FocusEvent} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.currentTarget);
    const read = timeOfDay(input.value);
    if (read) onInput(read);
    input.value = read ?? shown;
  };
  return html`<input class="input num" inputmode="numeric" maxlength="5" autocomplete="off" aria-label=${label} value=${shown} onBlur=${leave} onKeyDown=${(event) => event.key === 'Enter' && leave(event)} />`;
}

function Spans({ label, spans, onInput }) {
  const set = (/** @type {number} */ at, /** @type {string} */ edge, /** @type {string} */ value) => onInput(spans.map((span, which) => (which === at ? { ...span, [edge]: value } : span)));
  return html`<div class="spans">
    ${spans.map(
      (span, at) => html`<div class="span" key=${at}>
        <${TimeInput} label=${`${label}, from`} value=${span.from} onInput=${(value) => set(at, 'from', value)} />
        <span aria-hidden="true">–</span>
        <${TimeInput} label=${`${label}, to`} value=${span.to} onInput=${(value) => set(at, 'to', value)} />
        <${Button} small kind="ghost" icon="close" label=${`Take away ${short([span])} on ${label}`} onClick=${() => onInput(spans.filter((_, which) => which !== at))} />
      </div>`,
    )}
    ${spans.length < 6 && html`<${Button} small icon="plus" aria-label=${`${spans.length === 0 ? 'Off: add hours' : 'Add hours'} on ${label}`} onClick=${() => onInput([...spans, spans.length === 0 ? { from: '09:00', to: '17:00' } : { from: spans[spans.length - 1].to.slice(0, 5), to: '18:00' }])}>${spans.length === 0 ? 'Off: add hours' : 'Add'}<//>`}
  </div>`;
}

const filled = (/** @type {{from: string, to: string}[]} */ spans) => spans.map((span) => ({ from: `${span.from.slice(0, 5)}:00`, to: `${span.to.slice(0, 5)}:00` }));

/** What is wrong with the hours of a resource, in a sentence. @param {any} form */
function wrongWith(form) {
  if (!form.name.trim()) return 'Give a name, as callers say it.';
  const spans = [...Object.values(form.weekly), ...Object.values(form.overrides)].flat();
  return spans.some((span) => !span.from || !span.to || span.from.slice(0, 5) >= span.to.slice(0, 5)) ? 'Each part of a day ends after it begins.' : '';
}

/** @param {any} form @param {string} zone */
const hoursOf = (form, zone) => ({
  name: form.name.trim(),
  time_zone: zone,
  weekly: Object.fromEntries(Object.entries(form.weekly).filter(([, list]) => list.length > 0).map(([name, list]) => [name, filled(list)])),
  overrides: Object.fromEntries(Object.entries(form.overrides).map(([name, list]) => [name, filled(list)])),
  closures: form.closures,
});

function OrdinaryWeek({ weekly, onInput }) {
  return html`<fieldset><legend>An ordinary week</legend>
    <div class="hours-grid">${DAYS.map((name) => html`<div class="hours-row" key=${name}><span>${plain(name)}</span><${Spans} label=${plain(name)} spans=${weekly[name] ?? []} onInput=${(spans) => onInput({ ...weekly, [name]: spans })} /></div>`)}</div>
  </fieldset>`;
}

function OtherDays({ overrides, today, onInput }) {
  const [day, setDay] = useState('');
  const add = () => {
    onInput({ ...overrides, [day]: [] });
    setDay('');
  };
  const days = Object.entries(overrides).sort();
  return html`<fieldset><legend>Days with other hours</legend>
    <div class="stack">
      ${days.length > 0 && html`<div class="hours-grid">${days.map(([date, spans]) => html`<div class="hours-row" key=${date}><span class="num">${date}</span><div class="row"><${Spans} label=${date} spans=${spans} onInput=${(next) => onInput({ ...overrides, [date]: next })} /><${Button} small kind="ghost" icon="trash" label=${`As in an ordinary week on ${date}`} onClick=${() => onInput(Object.fromEntries(days.filter(([other]) => other !== date)))} /></div></div>`)}</div>`}
      <div class="row" style=${{ alignItems: 'end' }}>
        <${Text} label="Day" type="date" min=${today} value=${day} onInput=${setDay} />
        <${Button} icon="plus" disabled=${!day || day in overrides} onClick=${add}>Add the day<//>
      </div>
    </div>
  </fieldset>`;
}

function Away({ closures, today, zone, onInput, onError }) {
  const [away, setAway] = useState({ from: '', to: '', reason: '' });
  const add = () => {
    if (!away.from || !away.to || away.to < away.from) {
      onError('Say the first and the last day away.');
      return;
    }
    onError('');
    const to = new Date(instant(away.to, '12:00', zone).getTime() + 86_400_000);
    onInput([...closures, { from: instant(away.from, '00:00', zone).toISOString(), to: instant(dayOf(to, zone), '00:00', zone).toISOString(), reason: away.reason.trim() }]);
    setAway({ from: '', to: '', reason: '' });
  };
  return html`<fieldset><legend>Away</legend>
    <div class="stack">
      ${closures.map((one, at) => html`<div class="row" key=${at}><span class="num">${moment(one.from, zone)} – ${moment(one.to, zone)}</span><span class="sub wrap">${one.reason}</span><${Button} small kind="ghost" icon="trash" label=${`Take away the time from ${moment(one.from, zone)}`} onClick=${() => onInput(closures.filter((_, which) => which !== at))} /></div>`)}
      <div class="fields">
        <${Text} label="First day" type="date" min=${today} value=${away.from} onInput=${(from) => setAway({ ...away, from })} />
        <${Text} label="Last day" type="date" min=${away.from || today} value=${away.to} onInput=${(to) => setAway({ ...away, to })} />
        <${Text} label="Reason, for staff" maxlength="200" value=${away.reason} onInput=${(reason) => setAway({ ...away, reason })} />
      </div>
      <div><${Button} small icon="plus" onClick=${add}>Add the time away<//></div>
      <p class="fine">What is booked inside stays booked, and is shown when this is saved.</p>
    </div>
  </fieldset>`;
}

function HoursDialog({ resource, onClose }) {
  const here = useHere();
  const zone = resource?.time_zone ?? here.zone;
  const [form, setForm] = useState(/** @type {any} */ ({ name: resource?.name ?? '', weekly: resource?.weekly ?? {}, overrides: resource?.overrides ?? {}, closures: resource?.closures ?? [] }));
  const [error, setError] = useState('');
  const [isEnding, setEnding] = useState(false);
  const [inside, setInside] = useState(/** @type {any} */ (null));
  const today = dayOf(now(), zone);
  const action = useAction(async (send) => {
    const hours = hoursOf(form, zone);
    const { data } = resource ? await send('PATCH', `/api/resources/${encodeURIComponent(resource.id)}`, { version: resource.version, hours }) : await send('POST', '/api/resources', hours);
    changed('/api/resources', '/api/appointments');
    toast('The hours are saved.');
    if (data.inside && stands(data.inside)) setInside(data.inside);
    else onClose();
  });
  const set = (/** @type {string} */ name) => (/** @type {any} */ value) => setForm({ ...form, [name]: value });
  const submit = () => {
    const wrong = wrongWith(form);
    setError(wrong);
    if (!wrong) action.run();
  };
  if (inside) return html`<${Standing} title="Booked in the time away" standing=${inside} onClose=${onClose} />`;
  if (isEnding) {
    return html`<${Ending} title=${`Remove ${resource.name}?`} verb=${`Remove ${resource.name}`} end=${(send) => send('DELETE', `/api/resources/${encodeURIComponent(resource.id)}?version=${resource.version}`)} done=${`${resource.name} can no longer be booked.`} onBack=${() => setEnding(false)} onClose=${onClose}>
      <p>Nobody is booked with ${resource.name} from now on, and services that others do, too, go on with them. What is booked stands.</p>
    <//>`;
  }
  return html`<${Dialog} title=${resource ? `Hours of ${resource.name}` : 'Add a person or room'} wide onClose=${onClose}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <${Text} label="Name" maxlength="80" value=${form.name} onInput=${set('name')} hint=${`As callers say it. Its wall clock hangs in ${zone}.`} />
        <${OrdinaryWeek} weekly=${form.weekly} onInput=${set('weekly')} />
        <${OtherDays} overrides=${form.overrides} today=${today} onInput=${set('overrides')} />
        <${Away} closures=${form.closures} today=${today} zone=${zone} onInput=${set('closures')} onError=${setError} />
        ${error && html`<div role="alert"><${Note} tone="bad">${error}<//></div>`}
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Save<//><${Button} onClick=${onClose}>Cancel<//>${resource && html`<${Button} kind="danger" icon="trash" onClick=${() => setEnding(true)}>Remove<//>`}</div>
      </div>
    <//>
  <//>`;
}

export function Hours() {
  const here = useHere();
  const catalog = useCatalog();
  const [edited, setEdited] = useState(/** @type {any} */ (null));
  const soon = (/** @type {any} */ one) => one.closures.filter((closure) => Date.parse(closure.to) > now());
  const columns = [
    { name: 'name', label: 'Who or what', main: true, cell: (one) => one.name },
    { name: 'week', label: 'An ordinary week', cell: (one) => (week(one).length > 0 ? week(one).map((line) => html`<div key=${line} class="num" style=${{ whiteSpace: 'normal' }}>${line}</div>`) : 'No hours yet') },
    { name: 'away', label: 'Away', long: true, cell: (one) => (soon(one).length === 0 ? '–' : soon(one).map((closure) => html`<div key=${closure.from}>${moment(closure.from, here.zone)}<small>${closure.reason}</small></div>`)) },
    { name: 'other', label: 'Other days', cell: (one) => Object.keys(one.overrides).filter((day) => day >= dayOf(now(), here.zone)).length || '–' },
    here.mayChange && { name: 'change', label: '', align: 'end', cell: (one) => html`<${Button} small icon="edit" aria-label=${`Change ${one.name}`} onClick=${() => setEdited(one)}>Change<//>` },
  ].filter(Boolean);
  return html`<${Card} kind="card-flush" title="People and rooms" sub="Who and what is booked, and when." actions=${here.mayChange && html`<${Button} icon="plus" onClick=${() => setEdited('new')}>Add<//>`}>
    ${
      !catalog.resources
        ? catalog.failure
          ? html`<${Problem} failure=${catalog.failure} onRetry=${catalog.reload} />`
          : html`<${Skeleton} lines=${6} />`
        : catalog.resources.length === 0
          ? html`<${Empty} icon="team" title="There is nobody yet.">Add who works here, and when.<//>`
          : html`<${Table} caption="People and rooms" columns=${columns} rows=${catalog.resources} rowKey=${(one) => one.id} />`
    }
    ${edited && html`<${HoursDialog} resource=${edited === 'new' ? null : edited} onClose=${() => setEdited(null)} />`}
  <//>`;
}
