// Times are shown in the clinic's zone, wherever the browser is.

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {string} zone
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(zone, options) {
  const key = zone + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', ...options });
    formats.set(key, found);
  }
  return found;
}

/** @typedef {string | number | Date} Instant */
/** @param {Instant} at */
const date = (at) => new Date(at);

/** `14:30` @param {Instant} at @param {string} zone */
export const clock = (at, zone) => format(zone, { hour: '2-digit', minute: '2-digit' }).format(date(at));

/** `14:30:05` @param {Instant} at @param {string} zone */
export const clockSeconds = (at, zone) =>
  format(zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(date(at));

/** `Tue 1 Dec` @param {Instant} at @param {string} zone */
export const shortDay = (at, zone) =>
  format(zone, { weekday: 'short', day: 'numeric', month: 'short' }).format(date(at)).replace(',', '');

/** `Tuesday 1 December 2026` @param {Instant} at @param {string} zone */
export const longDay = (at, zone) =>
  format(zone, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
    .format(date(at))
    .replace(',', '');

/** `1 Dec 2026, 14:30` @param {Instant} at @param {string} zone */
export const moment = (at, zone) =>
  `${format(zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(date(at))}, ${clock(at, zone)}`;

/** `1 Dec, 14:30`, for the current year's @param {Instant} at @param {string} zone */
export const shortMoment = (at, zone) =>
  `${format(zone, { day: 'numeric', month: 'short' }).format(date(at))}, ${clock(at, zone)}`;

/**
 * What the zone's wall shows.
 * @param {Instant} at
 * @param {string} zone
 */
export function wall(at, zone) {
  const parts = format(zone, {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(date(at));
  /** @type {Record<string, string>} */
  const of = Object.fromEntries(parts.map((part) => [part.type, part.value]));
  return {
    day: `${of.year}-${of.month}-${of.day}`,
    time: `${of.hour}:${of.minute}`,
    minutes: Number(of.hour) * 60 + Number(of.minute),
    seconds: Number(of.second),
  };
}

/** The day of the zone's calendar, `2026-12-01`. @param {Instant} at @param {string} zone */
export const dayOf = (at, zone) => wall(at, zone).day;

/**
 * The instant at which the zone's wall shows this; in a gap the one that the wall jumps to, in a fold the first.
 * @param {string} day `2026-12-01`
 * @param {string} time `14:30`
 * @param {string} zone
 */
export function instant(day, time, zone) {
  const wanted = Date.parse(`${day}T${time}:00Z`);
  /** @param {number} guess */
  const shown = (guess) => {
    const at = wall(guess, zone);
    return Date.parse(`${at.day}T${at.time}:00Z`);
  };
  const offsets = [-86_400_000, 86_400_000].map((near) => shown(wanted + near) - (wanted + near));
  const fits = offsets.map((offset) => wanted - offset).filter((guess) => shown(guess) === wanted);
  return new Date(fits.length > 0 ? Math.min(...fits) : wanted - offsets[0]);
}

/** @param {string} day @param {number} count */
export function addDays(day, count) {
  const at = new Date(`${day}T12:00:00Z`);
  at.setUTCDate(at.getUTCDate() + count);
  return at.toISOString().slice(0, 10);
}

/** The Monday of its week. @param {string} day */
export function monday(day) {
  const weekday = (new Date(`${day}T12:00:00Z`).getUTCDay() + 6) % 7;
  return addDays(day, -weekday);
}

/** @param {string} day @param {'short' | 'long'} [form] */
export const dayLabel = (day, form = 'short') =>
  form === 'short' ? shortDay(`${day}T12:00:00Z`, 'UTC') : longDay(`${day}T12:00:00Z`, 'UTC');

/** Whether the text is a day such as `2026-12-01`. @param {string | null | undefined} text */
export const isDay = (text) =>
  Boolean(text && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T12:00:00Z`)));

/**
 * Reads a time of day as people write it: `9`, `930`, `9:30`, `09.30`.
 * @param {string} text
 * @returns {string | null} `09:30`, or null where it is none
 */
export function timeOfDay(text) {
  const match = /^(\d{1,2})(?:[:.h ]?(\d{2}))?$/.exec(text.trim());
  if (!match || Number(match[1]) > 23 || Number(match[2] ?? 0) > 59) return null;
  return `${match[1].padStart(2, '0')}:${match[2] ?? '00'}`;
}

/** `0:41`, `12:05`, `1:02:03` @param {number} seconds */
export function stopwatch(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** `41 s`, `3 min 20 s`, `1 h 2 min` @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole / 60} min`;
  const minutes = Math.floor(whole / 60) % 60;
  return minutes ? `${Math.floor(whole / 3600)} h ${minutes} min` : `${Math.floor(whole / 3600)} h`;
}
