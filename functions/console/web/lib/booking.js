// The dialogs of the diary: booking, moving, cancelling.
import { changed, query, useAction, useGet } from './api.js';
import { useHere } from './clinic.js';
import { now } from './clock.js';
import { namesOf, useCatalog } from './diary.js';
import { html, useState } from './html.js';
import { MayText, PatientFields, usePatient } from './patient.js';
import { addDays, clock, dayLabel, dayOf, instant, isDay, moment } from './time.js';
import { Area, Button, Check, Confirm, Dialog, Empty, Form, Link, Note, Problem, Select, Skeleton, Text, toast } from './ui.js';

const DIARY = ['/api/appointments', '/api/contacts', '/api/messages'];

/** Free times of a day, to choose one. */
function Slots({ serviceId, resourceId, day, value, onChoose, resources }) {
  const here = useHere();
  const path = serviceId && isDay(day) ? query('/api/appointments/available-slots', { service_id: serviceId, from: day, to: day, resource_id: resourceId }) : null;
  const free = useGet(path);
  if (!path) return null;
  if (!free.data) return free.failure ? html`<${Problem} failure=${free.failure} onRetry=${free.reload} />` : html`<${Skeleton} lines=${2} />`;
  /** @type {Map<string, any>} */
  const starts = new Map();
  for (const slot of free.data.slots) if (!starts.has(slot.starts_at)) starts.set(slot.starts_at, slot);
  if (starts.size === 0) return html`<p class="sub">Nothing is free on ${dayLabel(day, 'long')}. Choose another day, or book it all the same with a reason.</p>`;
  return html`<div class="slots" role="group" aria-label=${`Free times on ${dayLabel(day, 'long')}`}>
    ${[...starts.values()].map((slot) => html`<${Button} key=${slot.starts_at} small aria-pressed=${slot.starts_at === value ? 'true' : 'false'} title=${namesOf(resources, slot.resource_ids)} onClick=${() => onChoose(slot.starts_at)}><span class="num">${clock(slot.starts_at, here.zone)}</span><//>`)}
  </div>`;
}

/** The other times that came with a refusal. */
function Alternatives({ failure, onChoose }) {
  const here = useHere();
  const times = failure?.more?.alternatives;
  if (!Array.isArray(times) || times.length === 0) return null;
  return html`<div class="stack">
    <p class="strong">Free instead:</p>
    <div class="slots">${times.map((slot) => html`<${Button} key=${slot.starts_at} small onClick=${() => onChoose(slot.starts_at)}><span class="num">${moment(slot.starts_at, here.zone)}</span><//>`)}</div>
  </div>`;
}

/** Which time: a free one, or any with a reason. */
function useWhen({ day: firstDay, at: firstAt = '' }) {
  const here = useHere();
  const [day, setDay] = useState(firstAt ? dayOf(firstAt, here.zone) : firstDay);
  const [at, setAt] = useState(firstAt);
  const [isForced, setForced] = useState(false);
  const [time, setTime] = useState(firstAt ? clock(firstAt, here.zone) : '09:00');
  const [reason, setReason] = useState('');
  const forcedAt = isDay(day) && /^\d\d:\d\d$/.test(time) ? instant(day, time, here.zone).toISOString() : '';
  return {
    day,
    at: isForced ? forcedAt : at,
    reason: isForced ? reason.trim() : '',
    isForced,
    /** @param {string} next */
    choose(next) {
      setAt(next);
      setDay(dayOf(next, here.zone));
      setForced(false);
    },
    error: isForced ? (!forcedAt ? 'Choose a day and a time.' : !reason.trim() ? 'Say why it is booked although the time is not free.' : '') : at ? '' : 'Choose a time.',
    time,
    setTime,
    rawReason: reason,
    setReason,
    setForced,
    /** @param {string} next */
    setDay(next) {
      setDay(next);
      if (isDay(next) && at && dayOf(at, here.zone) !== next) setAt('');
    },
    setAt,
  };
}

function When({ when, serviceId, resourceId, resources }) {
  const here = useHere();
  const today = dayOf(now(), here.zone);
  return html`<div class="stack">
    <div class="row" style=${{ alignItems: 'end' }}>
      <div style=${{ flex: '1 1 8rem' }}><${Text} label="Day" type="date" min=${today} value=${when.day} onInput=${when.setDay} /></div>
      <${Button} icon="chevronLeft" label="The day before" onClick=${() => isDay(when.day) && when.setDay(addDays(when.day, -1))} />
      <${Button} icon="chevronRight" label="The day after" onClick=${() => isDay(when.day) && when.setDay(addDays(when.day, 1))} />
    </div>
    ${!when.isForced && when.at && html`<p>Chosen: <span class="strong num">${moment(when.at, here.zone)}</span></p>`}
    ${!when.isForced && html`<${Slots} serviceId=${serviceId} resourceId=${resourceId} day=${when.day} value=${when.at} onChoose=${when.setAt} resources=${resources} />`}
    <${Check} label="At a time that is not free" hint="It overlaps what is there. The reason is kept." checked=${when.isForced} onInput=${when.setForced} />
    ${
      when.isForced &&
      html`<div class="fields">
        <${Text} label="Time" type="time" step="300" value=${when.time} onInput=${when.setTime} />
        <${Text} label="Reason" value=${when.rawReason} onInput=${when.setReason} maxlength="200" />
      </div>`
    }
  </div>`;
}

/** Books an appointment, for a contact or for somebody by name. */
export function BookDialog({ day, at = '', resourceId = '', contactId = '', onClose }) {
  const here = useHere();
  const catalog = useCatalog();
  const known = useGet(contactId ? `/api/contacts/${encodeURIComponent(contactId)}` : null);
  const [service, setService] = useState('');
  const [resource, setResource] = useState(resourceId);
  const patient = usePatient(known.data);
  const [notes, setNotes] = useState('');
  const [tried, setTried] = useState(false);
  const when = useWhen({ day, at });
  // Whose column was clicked says which services there are to choose from first.
  const fitting = catalog.services?.find((one) => !resourceId || one.needs.flat().includes(resourceId));
  const serviceId = service || fitting?.id || catalog.services?.[0]?.id || '';
  const needs = catalog.services?.find((one) => one.id === serviceId)?.needs.flat() ?? [];
  const action = useAction(async (send) => {
    const { data } = await send('POST', '/api/appointments', {
      service_id: serviceId,
      scheduled_at: when.at,
      ...(resource && { resource_id: resource }),
      ...(contactId && !known.data ? { contact_id: contactId } : patient.body),
      ...(notes.trim() && { notes: notes.trim() }),
      ...(when.reason && { overbook: when.reason }),
    });
    changed(...DIARY);
    toast(`Booked: ${moment(data.scheduled_time, here.zone)}.`);
    onClose(dayOf(data.scheduled_time, here.zone));
  });
  const isNobody = !contactId && !patient.name.trim();
  const submit = () => {
    setTried(true);
    if (!when.error && !isNobody) action.run();
  };
  if (!catalog.services || !catalog.resources) {
    return html`<${Dialog} title="Book an appointment" onClose=${() => onClose()}>${catalog.failure ? html`<${Problem} failure=${catalog.failure} onRetry=${catalog.reload} />` : html`<${Skeleton} lines=${6} />`}<//>`;
  }
  if (catalog.services.length === 0) {
    return html`<${Dialog} title="Book an appointment" onClose=${() => onClose()}><${Empty} icon="calendar" title="There is no service yet." action=${html`<${Link} to="/calendar/services">Add a service<//>`}>What can be booked is said by the clinic’s services.<//><//>`;
  }
  return html`<${Dialog} title="Book an appointment" onClose=${() => onClose()}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <div class="fields">
          <${Select} label="Service" value=${serviceId} onInput=${setService} options=${catalog.services.map((one) => [one.id, one.name])} />
          <${Select} label="With" value=${resource} onInput=${setResource} options=${[['', 'Whoever is free'], ...catalog.resources.filter((one) => needs.includes(one.id)).map((one) => [one.id, one.name])]} />
        </div>
        <${When} when=${when} serviceId=${serviceId} resourceId=${resource} resources=${catalog.resources} />
        ${contactId ? html`<p class="wrap">For <span class="strong">${known.data?.contact_name ?? '…'}</span></p><${MayText} patient=${patient} />` : html`<${PatientFields} patient=${patient} nameError=${tried && isNobody ? 'Whose appointment is it?' : ''} />`}
        <${Area} label="Notes" rows=${2} maxlength="2000" value=${notes} onInput=${setNotes} />
        ${tried && when.error && html`<div role="alert"><${Note} tone="bad">${when.error}<//></div>`}
        <${Problem} failure=${action.failure} />
        <${Alternatives} failure=${action.failure} onChoose=${(at) => { action.clear(); when.choose(at); }} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Book<//><${Button} onClick=${() => onClose()}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

/** Moves an appointment; where it was dragged to, or to be chosen. */
export function MoveDialog({ appointment, to = /** @type {{at: string, resourceId: string} | null} */ (null), onClose }) {
  const here = useHere();
  const catalog = useCatalog();
  const [resource, setResource] = useState(to?.resourceId ?? '');
  const when = useWhen({ day: dayOf(appointment.scheduled_time, here.zone), at: to?.at ?? '' });
  const [tried, setTried] = useState(false);
  const needs = catalog.services?.find((one) => one.id === appointment.service_id)?.needs.flat() ?? [];
  const action = useAction(async (send) => {
    const { data } = await send('PATCH', `/api/appointments/${encodeURIComponent(appointment.id)}`, {
      revision: appointment.revision,
      scheduled_at: when.at,
      ...(resource && { resource_id: resource }),
      ...(when.reason && { overbook: when.reason }),
    });
    changed(...DIARY);
    toast(`Moved to ${moment(data.scheduled_time, here.zone)}.`);
    onClose(data);
  });
  const submit = () => {
    setTried(true);
    if (!when.error) action.run();
  };
  return html`<${Dialog} title="Move the appointment" onClose=${() => onClose()}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <p class="wrap"><span class="strong">${appointment.contact_name}</span>, ${appointment.service_type}<br />now <span class="num">${moment(appointment.scheduled_time, here.zone)}</span>${catalog.all && ` with ${namesOf(catalog.all, appointment.resource_ids)}`}</p>
        ${when.at && !when.isForced && html`<${Note}>To <span class="strong num">${moment(when.at, here.zone)}</span>${resource && catalog.resources ? ` with ${namesOf(catalog.resources, [resource])}` : ''}. A patient who can be reached is told.<//>`}
        <${Select} label="With" value=${resource} onInput=${setResource} options=${[['', 'The same as now'], ...(catalog.resources ?? []).filter((one) => needs.includes(one.id)).map((one) => [one.id, one.name])]} />
        <${When} when=${when} serviceId=${appointment.service_id} resourceId=${resource || appointment.resource_ids[0]} resources=${catalog.resources} />
        ${tried && when.error && html`<div role="alert"><${Note} tone="bad">${when.error}<//></div>`}
        <${Problem} failure=${action.failure} />
        <${Alternatives} failure=${action.failure} onChoose=${(at) => { action.clear(); when.choose(at); }} />
        <div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Move<//><${Button} onClick=${() => onClose()}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

export function CancelDialog({ appointment, onClose }) {
  const here = useHere();
  const action = useAction(async (send) => {
    await send('DELETE', `/api/appointments/${encodeURIComponent(appointment.id)}?revision=${appointment.revision}`);
    changed(...DIARY);
    toast('The appointment is cancelled, and its time is free again.');
    onClose();
  });
  return html`<${Confirm} title="Cancel this appointment?" verb="Cancel the appointment" danger action=${action} onClose=${() => onClose()} onConfirm=${() => action.run()}>
    <p class="wrap"><span class="strong">${appointment.contact_name}</span>, ${appointment.service_type}, ${moment(appointment.scheduled_time, here.zone)}.</p>
    <p class="sub">A patient who can be reached is told. It cannot be undone; a new one can be booked.</p>
  <//>`;
}

