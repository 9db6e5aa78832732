// What time it is for the server. A browser's clock may be wrong, and the local stack's may run faster.

let base = { here: Date.now(), there: Date.now(), rate: 1 };

/** The server's time now, in milliseconds. */
export function now() {
  return base.there + (Date.now() - base.here) * base.rate;
}

/** How many of the server's seconds pass in one of ours: 1 but on a local stack that runs faster. */
export const speed = () => base.rate;

/**
 * Takes the server's word for what time it is. The header's seconds are whole, so that a small difference says nothing.
 * @param {string | null} date
 */
export function heard(date) {
  const there = date ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(there) || isLocal) return;
  if (Math.abs(there - now()) > 2_000) base = { here: Date.now(), there, rate: 1 };
}

let isLocal = false;

/** The local stack says its own time, which runs as fast as it was started with; it is asked twice to know how fast. */
export async function followLocal() {
  isLocal = true;
  const ask = async () => {
    const answer = await fetch('/_sandbox', { headers: { accept: 'application/json' } });
    if (!answer.ok) return null;
    const said = await answer.json();
    return { here: Date.now(), there: Date.parse(said.time) };
  };
  try {
    const first = await ask();
    if (!first) return;
    base = { ...first, rate: base.rate };
    const measure = async () => {
      const second = await ask();
      if (!second) return;
      const rate = Math.max(1, Math.round((second.there - first.there) / Math.max(1, second.here - first.here)));
      base = { ...second, rate };
    };
    setTimeout(() => measure().catch(() => {}), 1_500);
    setInterval(() => {
      if (!document.hidden) measure().catch(() => {});
    }, 60_000);
  } catch {
    // Without it the browser's own clock has to do.
  }
}
