// The diary: what can be booked, with whom, and when they work.
import { useGet } from './api.js';
import { addDays, dayOf, instant, wall } from './time.js';

export const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** The services and resources of the clinic; those that are there no more for the names of what was booked with them. */
export function useCatalog() {
  const services = useGet('/api/services');
  const resources = useGet('/api/resources');
  return {
    services: services.data?.services ?? null,
    resources: resources.data?.resources ?? null,
    former: resources.data?.former ?? null,
    all: resources.data ? [...resources.data.resources, ...resources.data.former] : null,
    failure: services.failure ?? resources.failure,
    reload: async () => {
      await Promise.all([services.reload(), resources.reload()]);
    },
  };
}

/** @param {any[] | null} resources @param {string[]} ids */
export const namesOf = (resources, ids) => ids.map((id) => resources?.find((one) => one.id === id)?.name ?? id).join(', ');

/**
 * When a resource works on a day, in minutes of the clinic's wall clock.
 * @param {any} resource
 * @param {string} day
 * @param {string} zone the clinic's
 */
export function workOf(resource, day, zone) {
  const weekday = DAYS[(new Date(`${day}T12:00:00Z`).getUTCDay() + 6) % 7];
  const spans = resource.overrides[day] ?? resource.weekly[weekday] ?? [];
  return spans.map((span) => ({
    from: minutesOn(instant(day, span.from.slice(0, 5), resource.time_zone), day, zone),
    to: minutesOn(instant(day, span.to.slice(0, 5), resource.time_zone), day, zone),
  }));
}

/** The minute of a day's wall clock at an instant; what lies on another day is its edge. @param {Date | string | number} at @param {string} day @param {string} zone */
export function minutesOn(at, day, zone) {
  const there = wall(at, zone);
  if (there.day < day) return 0;
  return there.day > day ? 24 * 60 : there.minutes;
}

/** What is closed on a day. @param {any} resource @param {string} day @param {string} zone */
export function closedOn(resource, day, zone) {
  return resource.closures
    .filter((one) => dayOf(one.from, zone) <= day && dayOf(new Date(one.to).getTime() - 1, zone) >= day)
    .map((one) => ({ from: minutesOn(one.from, day, zone), to: minutesOn(one.to, day, zone), reason: one.reason }));
}

/**
 * Events side by side where they overlap.
 * @template {{from: number, to: number}} T
 * @param {T[]} events
 */
export function lanes(events) {
  /** @type {(T & {lane: number, of: number})[]} */
  const placed = [];
  /** @type {(T & {lane: number, of: number})[]} */
  let group = [];
  let end = -1;
  const close = () => {
    const of = Math.max(0, ...group.map((one) => one.lane)) + 1;
    for (const one of group) one.of = of;
    placed.push(...group);
    group = [];
  };
  for (const event of [...events].sort((one, other) => one.from - other.from || other.to - one.to)) {
    if (event.from >= end) close();
    const busy = new Set(group.filter((one) => one.to > event.from).map((one) => one.lane));
    let lane = 0;
    while (busy.has(lane)) lane += 1;
    group.push({ ...event, lane, of: 1 });
    end = Math.max(group.length === 1 ? -1 : end, event.to);
  }
  close();
  return placed;
}

/** `09:30` @param {number} minutes */
export const hourText = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;

/** The days of a view. @param {string} view @param {string} day @param {(day: string) => string} monday */
export const daysOfView = (view, day, monday) => (view === 'week' ? Array.from({ length: 7 }, (_, at) => addDays(monday(day), at)) : [day]);
