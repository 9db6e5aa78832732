// Where one may go in the console, and who.

/** What the data has: a day on which much is booked, and the ids of an appointment, a contact and a call. @typedef {{day: string, appointment: string, contact: string, call: string}} There */

const BUSINESS = ['owner', 'viewer'];
const MEMBERS = [...BUSINESS, 'staff'];

/** The addresses that a role sees, with what the data says. @param {There} there @returns {[string, string[]][]} */
export const addresses = (there) => [
  ['/today', MEMBERS],
  ['/calls', MEMBERS],
  [`/calls/${there.call}`, MEMBERS],
  ['/wallet', BUSINESS],
  [`/calendar?view=week&day=${there.day}`, MEMBERS],
  [`/calendar?view=day&day=${there.day}`, MEMBERS],
  [`/calendar?view=list&day=${there.day}`, MEMBERS],
  ['/calendar/services', MEMBERS],
  ['/calendar/hours', MEMBERS],
  ['/calendar/sync', MEMBERS],
  [`/appointments/${there.appointment}`, MEMBERS],
  ['/contacts', MEMBERS],
  [`/contacts/${there.contact}`, MEMBERS],
  ['/notifications', MEMBERS],
  ['/agents', BUSINESS],
  ['/numbers', BUSINESS],
  ['/team', BUSINESS],
  ['/clinic', MEMBERS],
  ['/start', BUSINESS],
  ['/operations', ['operator']],
  ['/operations/doubts', ['operator']],
  ['/operations/wallets?org=de300000-0000-4000-8000-000000000001', ['operator']],
  ['/operations/orphans', ['operator']],
  ['/operations/clinics', ['operator']],
  ['/nothing-is-here', ['owner']],
];
/** Dialogs that open by their address. @param {There} there */
export const dialogs = (there) => [`/calendar?view=week&day=${there.day}&new=1`, '/wallet?topup=open', '/contacts?new=1', '/calls?ring=1'];
