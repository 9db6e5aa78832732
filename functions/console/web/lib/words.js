// The API's words as people read them.
import { html } from './html.js';
import { Badge } from './ui.js';

/** @type {Record<string, [string, string]>} */
const CALL = {
  completed: ['Completed', 'good'],
  missed: ['Missed', 'warn'],
  transferred: ['Transferred', 'info'],
  failed: ['Failed', 'bad'],
  'in-progress': ['In progress', 'live'],
};
/** @type {Record<string, [string, string]>} */
const APPOINTMENT = {
  confirmed: ['Confirmed', 'good'],
  arrived: ['Arrived', 'info'],
  completed: ['Completed', 'quiet'],
  no_show: ['Did not come', 'warn'],
  cancelled: ['Cancelled', 'bad'],
};
/** @type {Record<string, [string, string]>} */
const SYNC = {
  synced: ['In the calendar', 'good'],
  pending: ['On its way to the calendar', 'quiet'],
  unverified: ['Not yet confirmed by the calendar', 'warn'],
  attention: ['The calendar disagrees', 'bad'],
  none: ['No calendar', 'quiet'],
};
/** @type {Record<string, [string, string]>} */
const AGENT = {
  synced: ['Ready', 'good'],
  pending: ['Being passed on', 'quiet'],
  failed: ['Refused by the voice service', 'bad'],
};
/** @type {Record<string, [string, string]>} */
const NUMBER = {
  active: ['Active', 'good'],
  releasing: ['Being given up', 'warn'],
  released: ['Given up', 'quiet'],
};

/** @type {Record<string, [string, string]>} */
const MESSAGE = {
  sending: ['On its way', 'quiet'],
  sent: ['Sent', 'good'],
  delivered: ['Delivered', 'good'],
  undelivered: ['Not delivered', 'bad'],
  waiting: ['Waits to be sent', 'warn'],
  unknown: ['Not known whether it was sent', 'warn'],
  refused: ['Refused', 'bad'],
  unpaid: ['Not sent: not paid', 'bad'],
  not_sent: ['Not sent: money given back', 'bad'],
};

/** @param {Record<string, [string, string]>} words @param {string} value */
function badge(words, value) {
  const [label, tone] = words[value] ?? [plain(value), 'quiet'];
  return html`<${Badge} tone=${tone}>${label}<//>`;
}

/** @param {string} value */
export const callBadge = (value) => badge(CALL, value);
/** @param {string} value */
export const appointmentBadge = (value) => badge(APPOINTMENT, value);
/** @param {string} value */
export const syncBadge = (value) => badge(SYNC, value);
/** @param {string} value */
export const agentBadge = (value) => badge(AGENT, value);
/** @param {string} value */
export const messageBadge = (value) => badge(MESSAGE, value);
/** @param {string} value */
export const numberBadge = (value) => badge(NUMBER, value);
/** @param {string} value */
export const appointmentWord = (value) => (APPOINTMENT[value] ?? [plain(value)])[0];

export const CALL_STATUSES = Object.entries(CALL).map(([value, [label]]) => [value, label]);

/** A word of a program as a sentence's beginning: `customer-ended-call` is `Customer ended call`. @param {string} word */
export function plain(word) {
  const text = word.replaceAll(/[-_.]+/g, ' ').trim();
  return text ? text[0].toUpperCase() + text.slice(1) : '';
}

/** @type {Record<string, string>} */
const ENDED = {
  'customer-ended-call': 'The caller hung up',
  'assistant-ended-call': 'The agent ended it',
  'assistant-forwarded-call': 'Put through to a person',
  'assistant-request-returned-forwarding-phone-number': 'Put through at once',
  'silence-timed-out': 'Nobody spoke any more',
  'exceeded-max-duration': 'It reached its longest duration',
  'manually-canceled': 'Ended by us',
  'customer-did-not-answer': 'Nobody answered',
  'customer-busy': 'The line was busy',
  voicemail: 'Voicemail answered',
};

export const ENDINGS = Object.entries(ENDED);

/** @param {string | null | undefined} reason */
export const ended = (reason) => (reason ? (ENDED[reason] ?? plain(reason)) : 'Not known yet');

/** @type {Record<string, string>} */
const TOOLS = {
  checkAvailability: 'Free times',
  bookClinicAppointment: 'Booking',
  findMyAppointments: 'The caller’s appointments',
  rescheduleAppointment: 'Move',
  cancelAppointment: 'Cancellation',
  takeMessage: 'Message',
  reportEmergency: 'Emergency',
  endCall: 'End of the call',
};
/** @param {string} name */
export const tool = (name) => TOOLS[name] ?? plain(name);

/** @type {Record<string, [string, string]>} */
const NOTICES = {
  emergency: ['Emergency', 'alert'],
  message_taken: ['Message', 'mail'],
  calendar_problem: ['Calendar', 'calendar'],
  payment_problem: ['Payment', 'card'],
};
/** @param {string} type @returns {[string, string]} */
export const notice = (type) => NOTICES[type] ?? [plain(type), 'bell'];

/** @type {Record<string, string>} */
export const ENTRY = {
  call: 'Call',
  top_up: 'Top-up',
  phone_number: 'Phone number',
  sms: 'Text messages',
  refund: 'Refund',
  dispute: 'Dispute',
  dispute_reversal: 'Dispute given back',
  adjustment: 'Adjustment',
};

/** Who made an appointment. @param {string} by */
export const madeBy = (by) => (by === 'caller' ? 'The caller, by phone' : `Staff (${by})`);
