// The grid of the diary, in which appointments are dragged, or moved by the arrow keys.
import { useHere } from './clinic.js';
import { now } from './clock.js';
import { hourText, lanes, minutesOn } from './diary.js';
import { html, useRef, useState } from './html.js';
import { clock, dayOf, instant } from './time.js';
import { Link, classes, useTick } from './ui.js';
import { appointmentWord } from './words.js';

/** How high an hour is drawn, in pixels. */
const HOUR = 60;

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

/** Where an appointment is on its way to: kept within the day. @param {any} event @param {number} column @param {number} from */
function placeOf(event, column, from) {
  const length = event.to - event.from;
  const at = Math.min(Math.max(from, 0), 24 * 60 - Math.max(5, length));
  return { event, column, from: at, to: at + length };
}

/** Which column an appointment stands in. @param {any[]} columns @param {any} event */
const columnOf = (columns, event) => columns.findIndex((one) => one.events.some((there) => there.appointment.id === event.appointment.id));

/**
 * Where the pointer is, in columns and minutes, however the grid is scrolled meanwhile.
 * @param {HTMLElement} body @param {{from: number}} hours @param {PointerEvent} pointer with which it was grabbed @param {any} event
 */
function rulerOf(body, hours, pointer, event) {
  const boxes = [...body.querySelectorAll('.cal-column')].map((column) => column.getBoundingClientRect());
  const grabbed = ((pointer.clientY - boxes[0].top) / HOUR) * 60 + hours.from - event.from;
  const scrolled = body.closest('.cal-scroll');
  const before = { x: scrolled?.scrollLeft ?? 0, y: scrolled?.scrollTop ?? 0 };
  return (/** @type {PointerEvent} */ next) => {
    const x = next.clientX + (scrolled?.scrollLeft ?? 0) - before.x;
    const y = next.clientY + (scrolled?.scrollTop ?? 0) - before.y;
    const found = boxes.findIndex((box) => x >= box.left && x < box.right);
    return { column: found >= 0 ? found : x < boxes[0].left ? 0 : boxes.length - 1, minutes: ((y - boxes[0].top) / HOUR) * 60 + hours.from - grabbed };
  };
}

/**
 * Follows the pointer until it lets go, or Escape leaves the appointment where it is.
 * @param {PointerEvent} pointer
 * @param {(next: PointerEvent) => void} onMove
 * @param {(isDropped: boolean) => void} onEnd
 */
function followPointer(pointer, onMove, onEnd) {
  let isMoving = false;
  const move = (/** @type {PointerEvent} */ next) => {
    if (!isMoving && Math.hypot(next.clientX - pointer.clientX, next.clientY - pointer.clientY) < 6) return;
    isMoving = true;
    onMove(next);
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
    setTimeout(() => onEnd(true), 0);
  };
  const escape = (/** @type {KeyboardEvent} */ key) => {
    if (key.key !== 'Escape') return;
    finish();
    onEnd(false);
  };
  addEventListener('pointermove', move);
  addEventListener('pointerup', up);
  addEventListener('keydown', escape, true);
}

/** @type {Record<string, [number, number]>} the columns and steps of time that a key moves by */
const WAYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/** What is being moved, by pointer or keys, and what is said of it aloud. */
function useMoving({ columns, hours, onDrop, step, body }) {
  const here = useHere();
  const [drag, setDrag] = useState(/** @type {any} */ (null));
  const [spoken, setSpoken] = useState('');
  const current = useRef(/** @type {any} */ (null));
  current.current = drag;
  const drop = (/** @type {any} */ moved) => {
    setDrag(null);
    if (!moved) return;
    const column = columns[moved.column];
    const { appointment } = moved.event;
    if (column.isFormer || (moved.column === columnOf(columns, moved.event) && moved.from === moved.event.from)) return;
    const resourceId = column.resource && !appointment.resource_ids.includes(column.resource.id) ? column.resource.id : '';
    onDrop(appointment, { at: instant(column.day, hourText(moved.from), here.zone).toISOString(), resourceId });
  };

  const onGrab = (/** @type {PointerEvent} */ pointer, /** @type {any} */ event) => {
    if (pointer.button !== 0 || pointer.pointerType === 'touch' || !body.current) return;
    const where = rulerOf(body.current, hours, pointer, event);
    const every = step(event.appointment);
    const move = (/** @type {PointerEvent} */ next) => {
      const { column, minutes } = where(next);
      setDrag(placeOf(event, column, Math.round(minutes / every) * every));
    };
    followPointer(pointer, move, (isDropped) => drop(isDropped ? current.current : null));
  };

  const onMoveKey = (/** @type {KeyboardEvent} */ key, /** @type {any} */ event) => {
    if (!drag) {
      if (key.key.toLowerCase() !== 'm' || key.ctrlKey || key.metaKey || key.altKey) return;
      key.preventDefault();
      setDrag(placeOf(event, columnOf(columns, event), event.from));
      setSpoken('Moving. Arrow keys choose the time, Enter takes it, Escape leaves it.');
      return;
    }
    const way = WAYS[key.key];
    if (way || key.key === 'Escape' || key.key === 'Enter') key.preventDefault();
    if (key.key === 'Escape' || key.key === 'Tab') {
      setDrag(null);
      setSpoken('It stays where it is.');
    } else if (key.key === 'Enter') drop(drag);
    else if (way) {
      const next = placeOf(event, Math.min(columns.length - 1, Math.max(0, drag.column + way[0])), drag.from + way[1] * step(event.appointment));
      setDrag(next);
      setSpoken(`${hourText(next.from)}, ${columns[next.column].title}`);
    }
  };
  return { drag, spoken, onGrab, onMoveKey };
}

const top = (/** @type {number} */ minutes, /** @type {{from: number}} */ hours) => `${((minutes - hours.from) / 60) * HOUR}px`;
const high = (/** @type {{from: number, to: number}} */ part) => `${((part.to - part.from) / 60) * HOUR}px`;

/** One column: when is worked, what is closed, what is booked, and where something is being moved to. */
function Column({ column, hours, moving, ghost, onPick }) {
  const here = useHere();
  const today = dayOf(now(), here.zone);
  const minutes = minutesOn(now(), today, here.zone);
  const closed = column.closed.map((part) => ({ ...part, from: Math.max(part.from, hours.from), to: Math.min(part.to, hours.to) }));
  /** A click on a free place books there. @param {MouseEvent} click */
  const pick = (click) => {
    const place = /** @type {HTMLElement} */ (click.currentTarget);
    if (!onPick || column.isFormer || /** @type {HTMLElement} */ (click.target).closest('.event')) return;
    const clicked = hours.from + ((click.clientY - place.getBoundingClientRect().top) / HOUR) * 60;
    const at = instant(column.day, hourText(Math.floor(clicked / 15) * 15), here.zone);
    if (at.getTime() > now()) onPick(at.toISOString(), column.resource?.id ?? '');
  };
  return html`<div class=${classes('cal-column', onPick && !column.isFormer && 'cal-free')} onClick=${pick}>
    ${offOf(column.work, hours).map((part) => html`<div key=${part.from} class="cal-off" style=${{ top: top(part.from, hours), height: high(part) }}></div>`)}
    ${closed.map((part) => html`<div key=${part.from} class="cal-closed" style=${{ top: top(part.from, hours), height: high(part) }}>${part.reason || 'Away'}</div>`)}
    ${column.day === today && minutes >= hours.from && minutes <= hours.to && html`<div class="cal-now" style=${{ top: top(minutes, hours) }}></div>`}
    ${lanes(/** @type {any[]} */ (column.events)).map((event) => html`<${Event} key=${event.appointment.id} event=${event} hours=${hours} canMove=${here.mayKeepDiary} isDim=${moving.drag?.event.appointment.id === event.appointment.id} onGrab=${moving.onGrab} onMoveKey=${moving.onMoveKey} />`)}
    ${
      ghost &&
      html`<div class="event event-ghost" data-may-cut style=${{ top: top(ghost.from, hours), height: `${Math.max(22, ((ghost.to - ghost.from) / 60) * HOUR - 2)}px`, left: '2px', right: '2px' }}>
        <span class="event-line"><strong class="num">${hourText(ghost.from)}</strong> ${ghost.event.appointment.contact_name}</span>
      </div>`
    }
  </div>`;
}

/** How wide a column is at the least: all that stands side by side in it can be pressed. @param {any} column @param {number} count of columns */
const widthOf = (column, count) => Math.max(count > 3 ? 8 : 9.5, ...lanes(/** @type {any[]} */ (column.events)).map((event) => event.of * 2.5));

/** @param {{columns: any[], hours: {from: number, to: number}, onDrop: Function, onPick: Function | null, step: Function}} props */
export function Grid({ columns, hours, onDrop, onPick, step }) {
  const here = useHere();
  const body = useRef(/** @type {HTMLDivElement | null} */ (null));
  const moving = useMoving({ columns, hours, onDrop, step, body });
  useTick(30_000);
  const today = dayOf(now(), here.zone);
  const template = `3.5rem ${columns.map((column) => widthOf(column, columns.length)).map((wide) => `minmax(${wide}rem, ${wide}fr)`).join(' ')}`;
  return html`<div class="cal-scroll" tabindex="0" role="region" aria-label="The diary’s grid">
    <p class="unseen" role="status">${moving.spoken}</p>
    <div class="cal" style=${{ '--hour': `${HOUR}px` }}>
      <div class="cal-head" style=${{ gridTemplateColumns: template }}>
        <div></div>
        ${columns.map((column) => html`<div key=${column.key} class=${classes(column.day === today && !column.resource && 'is-today')}>${column.title}${column.events.length > 0 && html`<small>${column.events.length} ${column.events.length === 1 ? 'appointment' : 'appointments'}</small>`}</div>`)}
      </div>
      <div class="cal-body" ref=${body} style=${{ gridTemplateColumns: template, height: high(hours) }}>
        <div class="cal-hours" aria-hidden="true">
          ${Array.from({ length: (hours.to - hours.from) / 60 - 1 }, (_, at) => html`<span key=${at} style=${{ top: `${(at + 1) * HOUR}px` }}>${hourText(hours.from + (at + 1) * 60)}</span>`)}
        </div>
        ${columns.map((column, at) => html`<${Column} key=${column.key} column=${column} hours=${hours} moving=${moving} ghost=${moving.drag?.column === at ? moving.drag : null} onPick=${onPick} />`)}
      </div>
    </div>
  </div>`;
}
