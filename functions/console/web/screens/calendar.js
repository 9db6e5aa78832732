// The diary by day and by week.
import { useGet } from '../lib/api.js';
import { BookDialog, MoveDialog } from '../lib/booking.js';
import { useHere } from '../lib/clinic.js';
import { now } from '../lib/clock.js';
import { closedOn, daysOfView, minutesOn, namesOf, useCatalog, workOf } from '../lib/diary.js';
import { Grid } from '../lib/grid.js';
import { html, useEffect, useState } from '../lib/html.js';
import { go, useRoute } from '../lib/router.js';
import { addDays, clock, dayLabel, dayOf, isDay, monday } from '../lib/time.js';
import { Button, Card, Empty, Link, Note, PageHead, Problem, Segments, Select, Skeleton, Tabs, Text } from '../lib/ui.js';
import { appointmentBadge, syncBadge } from '../lib/words.js';

export const CalendarTabs = ({ current }) => html`<${Tabs}
  label="Calendar"
  current=${current}
  items=${[
    ['/calendar', 'Diary'],
    ['/calendar/services', 'Services'],
    ['/calendar/hours', 'People and hours'],
    ['/calendar/sync', 'Google Calendar'],
  ]}
/>`;

function isNarrow() {
  return matchMedia('(max-width: 46rem)').matches;
}

/** The hours that are drawn: those that are worked or booked, and one more on each side. */
function hoursOf(columns) {
  const all = columns.flatMap((column) => [...column.work, ...column.events]);
  const from = Math.min(9 * 60, ...all.map((one) => one.from));
  const to = Math.max(17 * 60, ...all.map((one) => one.to));
  return { from: Math.max(0, Math.floor(from / 60) - 1) * 60, to: Math.min(24, Math.ceil(to / 60) + 1) * 60 };
}

/** What is drawn: a column for each resource of a day, or for each day of a week. */
function columnsOf({ view, days, resources, chosen, appointments, zone }) {
  const shown = chosen ? resources.filter((one) => one.id === chosen) : resources;
  const on = (/** @type {string} */ day, /** @type {any[]} */ whose) => ({
    day,
    work: whose.flatMap((one) => workOf(one, day, zone)),
    closed: whose.length === 1 ? closedOn(whose[0], day, zone) : [],
    events: appointments
      .filter((one) => one.status !== 'cancelled' && dayOf(one.scheduled_time, zone) === day && one.resource_ids.some((id) => whose.some((of) => of.id === id)))
      .map((one) => ({ appointment: one, from: minutesOn(one.scheduled_time, day, zone), to: minutesOn(one.ends_at, day, zone) })),
  });
  if (view === 'day') return shown.map((one) => ({ key: one.id, title: one.isFormer ? `${one.name}, no longer bookable` : one.name, sub: '', resource: one, isFormer: Boolean(one.isFormer), ...on(days[0], [one]) }));
  return days.map((day) => ({ key: day, title: dayLabel(day), sub: '', resource: shown.length === 1 ? shown[0] : null, ...on(day, shown) }));
}

/** The same as a list: what a narrow page shows, and who wants to read. */
function Agenda({ days, appointments, chosen, resources }) {
  const here = useHere();
  const shown = appointments.filter((one) => one.status !== 'cancelled' && (!chosen || one.resource_ids.includes(chosen)));
  const full = days.map((day) => ({ day, list: shown.filter((one) => dayOf(one.scheduled_time, here.zone) === day) })).filter((one) => one.list.length > 0);
  if (full.length === 0) return html`<${Empty} icon="calendar" title="Nobody is booked.">What callers and staff book stands here.<//>`;
  return full.map(
    ({ day, list }) => html`<section key=${day}>
      <h2 class="day-title">${dayLabel(day, 'long')}</h2>
      <ol class="agenda">
        ${list.map(
          (one) => html`<li key=${one.id}>
            <span class="num">${clock(one.scheduled_time, here.zone)}–${clock(one.ends_at, here.zone)}</span>
            <span class="what"><${Link} to=${`/appointments/${encodeURIComponent(one.id)}`}>${one.contact_name}<//><small>${one.service_type} with ${namesOf(resources, one.resource_ids)}</small></span>
            <span class="row">${one.calendar === 'attention' ? syncBadge('attention') : appointmentBadge(one.status)}</span>
          </li>`,
        )}
      </ol>
    </section>`,
  );
}

export default function Calendar() {
  const here = useHere();
  const route = useRoute();
  const [move, setMove] = useState(/** @type {any} */ (null));
  const today = dayOf(now(), here.zone);
  const day = isDay(route.value('day')) ? route.value('day') : today;
  const view = route.value('view') || (isNarrow() ? 'list' : 'week');
  const chosen = route.value('with');
  const days = view === 'list' ? daysOfView('week', day, monday) : daysOfView(view, day, monday);
  const catalog = useCatalog();
  const list = useGet(`/api/appointments?startDate=${days[0]}&endDate=${days.at(-1)}&limit=100`, { every: 20_000, whole: 'appointments' });
  const isBooking = route.value('new') === '1' && here.mayKeepDiary;
  const shift = (/** @type {number} */ by) => route.set({ day: addDays(day, by * (view === 'day' ? 1 : 7)) });
  const title = view === 'day' ? dayLabel(day, 'long') : `${dayLabel(days[0])} – ${dayLabel(days[6])}`;
  const step = (/** @type {any} */ appointment) => catalog.services?.find((one) => one.id === appointment.service_id)?.start_interval_mins ?? 15;
  useEffect(() => {
    document.title = 'Calendar · Voxanne';
  }, []);

  let grid;
  if (!list.data || !catalog.resources) {
    const failure = list.failure ?? catalog.failure;
    grid = failure
      ? html`<${Problem} failure=${failure} onRetry=${() => Promise.all([list.reload(), catalog.reload()])} />`
      : html`<${Skeleton} height="480px" />`;
  } else if (view === 'list') {
    grid = html`<${Card}><${Agenda} days=${days} appointments=${list.data.appointments} chosen=${chosen} resources=${catalog.all} /><//>`;
  } else if (catalog.resources.length === 0) {
    grid = html`<${Card}><${Empty} icon="team" title="There is nobody to book yet." action=${html`<${Button} onClick=${() => go('/calendar/hours')}>Add people and rooms<//>`}>Add who works here, and when.<//><//>`;
  } else {
    const isBooked = (/** @type {any} */ one) => list.data.appointments.some((appointment) => appointment.resource_ids.includes(one.id));
    const columns = columnsOf({ view, days, resources: [...catalog.resources, ...catalog.former.filter(isBooked).map((one) => ({ ...one, weekly: {}, overrides: {}, isFormer: true }))], chosen, appointments: list.data.appointments, zone: here.zone });
    grid = html`<${Problem} failure=${list.failure} onRetry=${list.reload} />
      <${Grid} columns=${columns} hours=${hoursOf(columns)} step=${step} onDrop=${(appointment, to) => setMove({ appointment, to })} onPick=${here.mayKeepDiary ? (at, whom) => route.set({ new: '1', at, whom }) : null} />
      ${here.mayKeepDiary && html`<p class="fine">Click a free place to book there. Drag an appointment to move it; or go to it with Tab, press M, and use the arrow keys and Enter.</p>`}`;
  }

  return html`<div class="page">
    <${PageHead} title="Calendar" sub=${title} actions=${here.mayKeepDiary && html`<${Button} kind="primary" icon="plus" onClick=${() => route.set({ new: '1' })}>Book<//>`} />
    <${CalendarTabs} current="/calendar" />
    <div class="cal-bar">
      <div class="row">
        <${Button} small icon="chevronLeft" label=${view === 'day' ? 'The day before' : 'The week before'} onClick=${() => shift(-1)} />
        <${Button} small onClick=${() => route.set({ day: null })}>Today<//>
        <${Button} small icon="chevronRight" label=${view === 'day' ? 'The day after' : 'The week after'} onClick=${() => shift(1)} />
        <${Segments} label="View" value=${view} onInput=${(next) => route.set({ view: next })} options=${[['day', 'Day'], ['week', 'Week'], ['list', 'List']]} />
      </div>
      <div class="filters">
        <${Text} label="Go to" type="date" value=${day} onInput=${(next) => isDay(next) && route.set({ day: next })} />
        ${catalog.resources && catalog.resources.length > 1 && html`<${Select} label="Show" value=${chosen} onInput=${(next) => route.set({ with: next })} options=${[['', 'Everybody'], ...catalog.resources.map((one) => [one.id, one.name])]} />`}
      </div>
    </div>
    ${list.data?.isCut && html`<${Note} tone="warn" title="Not all of it is shown.">There are more than 1,000 appointments in this time: later ones are missing here. Look at it day by day.<//>`}
    ${grid}
    ${isBooking && html`<${BookDialog} day=${day < today ? today : day} at=${route.value('at')} resourceId=${route.value('whom')} contactId=${route.value('contact')} onClose=${(booked) => route.set({ new: null, contact: null, at: null, whom: null, ...(booked && { day: booked }) })} />`}
    ${move && html`<${MoveDialog} appointment=${move.appointment} to=${move.to} onClose=${() => setMove(null)} />`}
  </div>`;
}
