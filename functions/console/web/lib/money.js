// Money is whole pence. What a call costs is said by one formula, here as in the ledger: ceil(seconds × 56 / 60).

/** The rate that holds until the wallet has said its own, in pence a minute. */
export const RATE = 56;
/** The least that is paid in by card at once; the least that is charged by itself, and below which it may be charged. */
export const [LEAST_TOP_UP, LEAST_CHARGE, LEAST_THRESHOLD] = [2_500, 2_500, 100];

/**
 * What so many seconds cost, in whole pence.
 * @param {number} seconds
 * @param {number} [rate] pence a minute
 */
export function price(seconds, rate = RATE) {
  return Math.floor((Math.max(0, Math.floor(seconds)) * rate + 59) / 60);
}

/**
 * The most whole seconds that do not cost more than this.
 * @param {number} pence
 * @param {number} [rate] pence a minute
 */
export function affordable(pence, rate = RATE) {
  return pence <= 0 ? 0 : Math.floor((pence * 60) / rate);
}

/**
 * `£1,234.56`; less than nothing has a minus in front.
 * @param {number} pence
 */
export function money(pence) {
  const whole = Math.abs(Math.trunc(pence));
  const pounds = Math.floor(whole / 100).toString().replace(/\B(?=(\d{3})+$)/g, ',');
  return `${pence < 0 ? '−' : ''}£${pounds}.${String(whole % 100).padStart(2, '0')}`;
}

/**
 * Reads an amount as people write it: `25`, `£25.50`, `1,000`.
 * @param {string} text
 * @returns {number | null} whole pence, or null where it is no amount
 */
export function pence(text) {
  const match = /^£?\s*(\d{1,3}(?:,\d{3})+|\d{1,7})(?:\.(\d{1,2}))?$/.exec(text.trim());
  if (!match) return null;
  return Number(match[1].replaceAll(',', '')) * 100 + Number((match[2] ?? '').padEnd(2, '0'));
}
