// The diary by day and by week.
import { useGet } from '../lib/api.js';
import { BookDialog, MoveDialog } from '../lib/booking.js';
import { useHere } from '../lib/clinic.js';
import { now } from '../lib/clock.js';
import { closedOn, daysOfView, hourText, lanes, minutesOn, namesOf, useCatalog, workOf } from '../lib/diary.js';
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { go, useRoute } from '../lib/router.js';
import { addDays, clock, dayLabel, dayOf, instant, isDay, monday } from '../lib/time.js';
import { Button, Card, Empty, Link, Loaded, Note, PageHead, Problem, Segments, Select, Skeleton, Tabs, Text, classes, useTick } from '../lib/ui.js';
import { appointmentBadge, appointmentWord, syncBadge } from '../lib/words.js';

/** How high an hour is drawn, in pixels. */
const HOUR = 60;

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
  if (view === 'day') return shown.map((one) => ({ key: one.id, title: one.name, sub: '', resource: one, ...on(days[0], [one]) }));
  return days.map((day) => ({ key: day, title: dayLabel(day), sub: '', resource: shown.length === 1 ? shown[0] : null, ...on(day, shown) }));
}

/** The parts of the drawn hours in which nobody works. */
function offOf(work, hours) {
  const parts = [];
  let at = hours.from;
  for (const span of [...work].sort((one, other) => one.from - other.from)) {
    if (span.from > at) parts.push({ from: at, to: Math.min(span.from, hours.to) });
    at = Math.max(at, span.to);
  }
  if (at < hours.to) parts.push({ from: at, to: hours.to });
  return parts;
}

function Event({ event, hours, canMove, isDim, onGrab, onMoveKey }) {
  const here = useHere();
  const { appointment } = event;
  const isMovable = canMove && appointment.status === 'confirmed';
  const time = `${clock(appointment.scheduled_time, here.zone)}–${clock(appointment.ends_at, here.zone)}`;
  const tone =
    appointment.calendar === 'attention' ? 'event-care' : appointment.status === 'completed' || appointment.status === 'no_show' ? 'event-done' : appointment.overbooked ? 'event-over' : '';
  const height = Math.max(22, ((event.to - event.from) / 60) * HOUR - 2);
  const label = `${time}, ${appointment.contact_name}, ${appointment.service_type}, ${appointmentWord(appointment.status)}${appointment.overbooked ? ', overbooked' : ''}`;
  return html`<${Link}
    to=${`/appointments/${encodeURIComponent(appointment.id)}`}
    class=${classes('event', tone, !isMovable && 'event-fixed', isDim && 'event-dim')}
    draggable=${false}
    aria-label=${label}
    title=${label}
    data-may-cut
    style=${{
      top: `${((event.from - hours.from) / 60) * HOUR}px`,
      height: `${height}px`,
      left: `calc(${(event.lane / event.of) * 100}% + 2px)`,
      width: `calc(${100 / event.of}% - 4px)`,
    }}
    onPointerDown=${isMovable ? (pointer) => onGrab(pointer, event) : undefined}
    onKeyDown=${isMovable ? (key) => onMoveKey(key, event) : undefined}
  >
    <span class="event-line"><strong>${appointment.contact_name}</strong></span>
    ${height > 38 && html`<span class="event-line"><span class="num">${time}</span> ${appointment.service_type}</span>`}
  <//>`;
}

/** The grid, in which appointments are dragged, or moved by the arrow keys. */
function Grid({ columns, hours, onDrop, onPick, step }) {
  const here = useHere();
  const body = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [drag, setDrag] = useState(/** @type {any} */ (null));
  const [spoken, setSpoken] = useState('');
  const current = useRef(/** @type {any} */ (null));
  current.current = drag;
  useTick(30_000);
  const today = dayOf(now(), here.zone);
  const template = `3.5rem repeat(${columns.length}, minmax(${columns.length > 3 ? 8 : 9.5}rem, 1fr))`;
  const heights = ((hours.to - hours.from) / 60) * HOUR;

  const place = (/** @type {any} */ event, /** @type {number} */ column, /** @type {number} */ from) => {
    const length = event.to - event.from;
    const at = Math.min(Math.max(from, 0), 24 * 60 - Math.max(5, length));
    return { event, column, from: at, to: at + length };
  };
  const say = (/** @type {any} */ moved) => {
    const column = columns[moved.column];
    setSpoken(`${hourText(moved.from)}, ${column.title}`);
  };
  const drop = (/** @type {any} */ moved) => {
    setDrag(null);
    const column = columns[moved.column];
    const { appointment } = moved.event;
    const before = columns.findIndex((one) => one.events.some((event) => event.appointment.id === appointment.id));
    if (moved.column === before && moved.from === moved.event.from) return;
    const resourceId = column.resource && !appointment.resource_ids.includes(column.resource.id) ? column.resource.id : '';
    onDrop(appointment, { at: instant(column.day, hourText(moved.from), here.zone).toISOString(), resourceId });
  };

  /** A click on a free place books there. @param {MouseEvent} click @param {any} column */
  const pick = (click, column) => {
    const place = /** @type {HTMLElement} */ (click.currentTarget);
    if (!onPick || /** @type {HTMLElement} */ (click.target).closest('.event')) return;
    const minutes = hours.from + ((click.clientY - place.getBoundingClientRect().top) / HOUR) * 60;
    const at = instant(column.day, hourText(Math.floor(minutes / 15) * 15), here.zone);
    if (at.getTime() > now()) onPick(at.toISOString(), column.resource?.id ?? '');
  };

  const onGrab = (/** @type {PointerEvent} */ pointer, /** @type {any} */ event) => {
    if (pointer.button !== 0 || pointer.pointerType === 'touch' || !body.current) return;
    const start = { x: pointer.clientX, y: pointer.clientY };
    const boxes = [...body.current.querySelectorAll('.cal-column')].map((column) => column.getBoundingClientRect());
    const grabbed = ((start.y - boxes[0].top) / HOUR) * 60 + hours.from - event.from;
    const scrolled = body.current.closest('.cal-scroll');
    const before = { x: scrolled?.scrollLeft ?? 0, y: scrolled?.scrollTop ?? 0 };
    let isMoving = false;
    const move = (/** @type {PointerEvent} */ next) => {
      if (!isMoving && Math.hypot(next.clientX - start.x, next.clientY - start.y) < 6) return;
      isMoving = true;
      const x = next.clientX + (scrolled?.scrollLeft ?? 0) - before.x;
      const y = next.clientY + (scrolled?.scrollTop ?? 0) - before.y;
      const found = boxes.findIndex((box) => x >= box.left && x < box.right);
      const column = found >= 0 ? found : x < boxes[0].left ? 0 : boxes.length - 1;
      const minutes = ((y - boxes[0].top) / HOUR) * 60 + hours.from - grabbed;
      const every = step(event.appointment);
      setDrag(place(event, column, Math.round(minutes / every) * every));
    };
    const finish = () => {
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', up);
      removeEventListener('keydown', escape, true);
    };
    const up = () => {
      finish();
      if (!isMoving) return;
      // The click that follows would open what was dragged.
      addEventListener('click', (click) => { click.preventDefault(); click.stopPropagation(); }, { capture: true, once: true });
      setTimeout(() => current.current && drop(current.current), 0);
    };
    const escape = (/** @type {KeyboardEvent} */ key) => {
      if (key.key !== 'Escape') return;
      finish();
      setDrag(null);
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', up);
    addEventListener('keydown', escape, true);
  };

  const onMoveKey = (/** @type {KeyboardEvent} */ key, /** @type {any} */ event) => {
    const column = columns.findIndex((one) => one.events.some((there) => there.appointment.id === event.appointment.id));
    if (!drag) {
      if (key.key.toLowerCase() !== 'm' || key.ctrlKey || key.metaKey || key.altKey) return;
      key.preventDefault();
      const begun = place(event, column, event.from);
      setDrag(begun);
      setSpoken('Moving. Arrow keys choose the time, Enter takes it, Escape leaves it.');
      return;
    }
    const every = step(event.appointment);
    /** @type {Record<string, [number, number]>} */
    const ways = { ArrowUp: [0, -every], ArrowDown: [0, every], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const way = ways[key.key];
    if (key.key === 'Escape' || key.key === 'Tab') {
      setDrag(null);
      setSpoken('It stays where it is.');
      if (key.key === 'Escape') key.preventDefault();
    } else if (key.key === 'Enter') {
      key.preventDefault();
      drop(drag);
    } else if (way) {
      key.preventDefault();
      const next = place(event, Math.min(columns.length - 1, Math.max(0, drag.column + way[0])), drag.from + way[1]);
      setDrag(next);
      say(next);
    }
  };

  return html`<div class="cal-scroll" tabindex="0" role="region" aria-label="The diary’s grid">
    <p class="unseen" role="status">${spoken}</p>
    <div class="cal" style=${{ '--hour': `${HOUR}px` }}>
      <div class="cal-head" style=${{ gridTemplateColumns: template }}>
        <div></div>
        ${columns.map((column) => html`<div key=${column.key} class=${classes(column.day === today && !column.resource && 'is-today')}>${column.title}${column.events.length > 0 && html`<small>${column.events.length} ${column.events.length === 1 ? 'appointment' : 'appointments'}</small>`}</div>`)}
      </div>
      <div class="cal-body" ref=${body} style=${{ gridTemplateColumns: template, height: `${heights}px` }}>
        <div class="cal-hours" aria-hidden="true">
          ${Array.from({ length: (hours.to - hours.from) / 60 - 1 }, (_, at) => html`<span key=${at} style=${{ top: `${(at + 1) * HOUR}px` }}>${hourText(hours.from + (at + 1) * 60)}</span>`)}
        </div>
        ${columns.map(
          (column, at) => html`<div key=${column.key} class=${classes('cal-column', onPick && 'cal-free')} onClick=${(click) => pick(click, column)}>
            ${offOf(column.work, hours).map((part) => html`<div key=${part.from} class="cal-off" style=${{ top: `${((part.from - hours.from) / 60) * HOUR}px`, height: `${((part.to - part.from) / 60) * HOUR}px` }}></div>`)}
            ${column.closed.map((part) => html`<div key=${part.from} class="cal-closed" style=${{ top: `${((Math.max(part.from, hours.from) - hours.from) / 60) * HOUR}px`, height: `${((Math.min(part.to, hours.to) - Math.max(part.from, hours.from)) / 60) * HOUR}px` }}>${part.reason || 'Away'}</div>`)}
            ${column.day === today && minutesOn(now(), today, here.zone) >= hours.from && minutesOn(now(), today, here.zone) <= hours.to && html`<div class="cal-now" style=${{ top: `${((minutesOn(now(), today, here.zone) - hours.from) / 60) * HOUR}px` }}></div>`}
            ${lanes(/** @type {any[]} */ (column.events)).map((event) => html`<${Event} key=${event.appointment.id} event=${event} hours=${hours} canMove=${here.mayKeepDiary} isDim=${drag?.event.appointment.id === event.appointment.id} onGrab=${onGrab} onMoveKey=${onMoveKey} />`)}
            ${
              drag?.column === at &&
              html`<div class="event event-ghost" data-may-cut style=${{ top: `${((drag.from - hours.from) / 60) * HOUR}px`, height: `${Math.max(22, ((drag.to - drag.from) / 60) * HOUR - 2)}px`, left: '2px', right: '2px' }}>
                <span class="event-line"><strong class="num">${hourText(drag.from)}</strong> ${drag.event.appointment.contact_name}</span>
              </div>`
            }
          </div>`,
        )}
      </div>
    </div>
  </div>`;
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
    grid = html`<${Card}><${Agenda} days=${days} appointments=${list.data.appointments} chosen=${chosen} resources=${catalog.resources} /><//>`;
  } else if (catalog.resources.length === 0) {
    grid = html`<${Card}><${Empty} icon="team" title="There is nobody to book yet." action=${html`<${Button} onClick=${() => go('/calendar/hours')}>Add people and rooms<//>`}>Add who works here, and when.<//><//>`;
  } else {
    const columns = columnsOf({ view, days, resources: catalog.resources, chosen, appointments: list.data.appointments, zone: here.zone });
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
