// The clinic's money: what is free, what is set aside, what moved, and the ways to put more in.
import { call, changed, failureOf, query, useAction, useGet, usePages } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { now } from '../lib/clock.js';
import { html, useEffect, useMemo, useState } from '../lib/html.js';
import { LEAST_CHARGE, LEAST_THRESHOLD, LEAST_TOP_UP, RATE, money, pence } from '../lib/money.js';
import { phone } from '../lib/phone.js';
import { Plot } from '../lib/plot.js';
import { useRoute } from '../lib/router.js';
import { addDays, dayOf, instant, moment, shortDay } from '../lib/time.js';
import { Button, Card, Check, Copy, Dialog, Empty, Form, Link, Loaded, More, Note, PageHead, Problem, Select, Skeleton, Table, Text, classes, toast } from '../lib/ui.js';
import { ENTRY } from '../lib/words.js';

/** @type {Record<string, string>} */
const SUSPENDED = {
  card_declined: 'The card was declined. Top up by card once: that card is then charged.',
  authentication_required: 'The bank wants the card’s owner to confirm. Confirm the payment, or top up by card.',
};

/** Why a card is not charged though little is left; what is said by another note is left out. @type {Record<string, string>} */
const SKIPPED = {
  monthly_limit: 'Another charge does not fit into the limit of the month. Raise it, or top up by card.',
  asked_back: 'Money was asked back. Top up by card: from then on the card is charged again.',
  card_barred: 'The card was disputed and is never charged by itself again. Top up with another.',
  dispute_open: 'A dispute over one of your payments is open. Top up by card meanwhile.',
  wallet_frozen: 'The wallet is being checked, and nothing moves until that is done. We have been told.',
};

// ---- Money in -------------------------------------------------------------------------------------------------------

function TopUp({ onClose }) {
  const [text, setText] = useState('50');
  const [error, setError] = useState('');
  const action = useAction(async (send, /** @type {number} */ amount) => {
    const { data } = await send('POST', '/api/billing/wallet/topup', { amount_pence: amount, return_url: '/wallet' });
    location.assign(data.url);
  });
  const submit = () => {
    const amount = pence(text);
    if (amount === null) setError('Write an amount such as 50 or 50.00.');
    else if (amount < LEAST_TOP_UP) setError(`The least is ${money(LEAST_TOP_UP)}.`);
    else {
      setError('');
      action.run(amount);
    }
  };
  return html`<${Dialog} title="Top up by card" onClose=${onClose}>
    <${Form} onSubmit=${submit}>
      <div class="stack">
        <div class="amounts" role="group" aria-label="Amounts">
          ${[25, 50, 100, 250].map((pounds) => html`<${Button} key=${pounds} small aria-pressed=${pence(text) === pounds * 100 ? 'true' : 'false'} onClick=${() => setText(String(pounds))}>£${pounds}<//>`)}
        </div>
        <${Text} label="Amount in pounds" inputmode="decimal" autocomplete="off" value=${text} onInput=${setText} error=${error} hint=${`At least ${money(LEAST_TOP_UP)}. You pay on the payment provider’s page and come back here.`} />
        <${Problem} failure=${action.failure} />
        <div class="form-actions"><${Button} kind="primary" type="submit" icon="card" isBusy=${action.isBusy}>To the payment page<//><${Button} onClick=${onClose}>Cancel<//></div>
      </div>
    <//>
  <//>`;
}

/** An amount as one types it: `25` rather than `25.00`. @param {number | null} amount */
const typed = (amount) => (amount === null ? '' : (amount / 100).toFixed(2).replace(/\.00$/, ''));

function AutoRecharge({ wallet }) {
  const here = useHere();
  const terms = wallet.auto_recharge;
  const [form, setForm] = useState({
    enabled: wallet.auto_recharge_enabled,
    amount: typed(terms.amount_pence ?? 5_000),
    threshold: typed(terms.threshold_pence ?? 1_000),
    limit: typed(terms.monthly_limit),
  });
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const action = useAction(async (send, /** @type {unknown} */ body) => {
    const { data } = await send('POST', '/api/billing/wallet/auto-recharge', body);
    changed('/api/billing/wallet');
    toast(data.will_charge_now ? 'Saved. The card is being charged now.' : 'Saved.');
  });
  const set = (/** @type {string} */ name) => (/** @type {any} */ value) => setForm({ ...form, [name]: value });
  const submit = () => {
    const read = { amount: pence(form.amount), threshold: pence(form.threshold), limit: form.limit.trim() ? pence(form.limit) : null };
    const wrong = {
      amount: read.amount === null || read.amount < LEAST_CHARGE ? `At least ${money(LEAST_CHARGE)}.` : '',
      threshold: read.threshold === null || read.threshold < LEAST_THRESHOLD ? `At least ${money(LEAST_THRESHOLD)}.` : '',
      limit: form.limit.trim() && (read.limit === null || read.limit < (read.amount ?? 0)) ? 'At least what is charged at once; or nothing, for the usual limit.' : '',
    };
    setErrors(wrong);
    if (Object.values(wrong).some(Boolean)) return;
    action.run({ enabled: form.enabled, amount_pence: read.amount, threshold_pence: read.threshold, monthly_limit: read.limit });
  };
  return html`<${Card} title="Auto-recharge" sub="The card on file is charged when little is left, so that no call is cut off.">
    <div class="stack">
      ${terms.suspended_reason && html`<${Note} tone="bad" title="It is suspended." actions=${terms.action_url && html`<a class="button button-small button-plain" href=${terms.action_url} rel="noreferrer">Confirm the payment</a>`}>${SUSPENDED[terms.suspended_reason] ?? 'The card could not be charged. Top up by card once: that card is then charged.'}<//>`}
      ${SKIPPED[terms.skipped_reason] && html`<${Note} tone="warn" title="Little is left, and the card is not charged.">${SKIPPED[terms.skipped_reason]}<//>`}
      ${terms.underway_pence !== null && html`<${Note}>${money(terms.underway_pence)} is being charged to the card.<//>`}
      ${!wallet.has_payment_method && html`<${Note}>There is no card to charge yet. Top up by card once, then switch it on.<//>`}
      <${Form} onSubmit=${submit}>
        <div class="stack">
          <${Check} label="Charge the card by itself" checked=${form.enabled} disabled=${!here.mayChange || (!wallet.has_payment_method && !form.enabled)} onInput=${set('enabled')} />
          <div class="fields">
            <${Text} label="Charge (£)" inputmode="decimal" value=${form.amount} onInput=${set('amount')} error=${errors.amount} readonly=${!here.mayChange} />
            <${Text} label="When less than (£)" inputmode="decimal" value=${form.threshold} onInput=${set('threshold')} error=${errors.threshold} readonly=${!here.mayChange} />
            <${Text} label="At most a month (£)" inputmode="decimal" value=${form.limit} onInput=${set('limit')} error=${errors.limit} readonly=${!here.mayChange} />
          </div>
          <p class="fine">${money(terms.charged_this_month_pence)} was charged by itself this month.</p>
          <${Problem} failure=${action.failure} />
          ${here.mayChange && html`<div class="form-actions"><${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Save<//></div>`}
        </div>
      <//>
    </div>
  <//>`;
}

// ---- What moved -----------------------------------------------------------------------------------------------------

/** The balance of each of the last days, and what moved it. @param {any[]} entries @param {number} standing @param {string} zone @param {number} count */
export function daysOf(entries, standing, zone, count) {
  const today = dayOf(now(), zone);
  let balance = entries.length > 0 ? entries[0].balance_before_pence : standing;
  let next = 0;
  return Array.from({ length: count }, (_, back) => {
    const day = addDays(today, back + 1 - count);
    /** @type {Record<string, number>} */
    const moved = {};
    while (next < entries.length && dayOf(entries[next].created_at, zone) <= day) {
      const entry = entries[next];
      balance = entry.balance_after_pence;
      if (dayOf(entry.created_at, zone) === day) moved[entry.type] = (moved[entry.type] ?? 0) + 1;
      next += 1;
    }
    return { at: instant(day, '12:00', zone).getTime() / 1000, balance, moved };
  });
}

/** How many days are shown: ninety, or as many as one answer of the API holds. */
const SPANS = /** @type {const} */ ([[90, 'Ninety days'], [30, 'Thirty days'], [14, 'Two weeks'], [7, 'A week'], [2, 'Two days']]);

function History({ balance }) {
  const here = useHere();
  const [span, setSpan] = useState(0);
  const [count, title] = SPANS[span];
  const from = addDays(dayOf(now(), here.zone), 1 - count);
  const statement = useGet(`/api/billing/wallet/statement?from=${from}`);
  const entries = statement.data?.entries;
  const days = useMemo(() => (entries ? daysOf(entries, balance, here.zone, count) : []), [entries, balance]);
  const isTooMuch = statement.failure?.code === 'period_too_large' && span + 1 < SPANS.length;
  useEffect(() => {
    if (isTooMuch) setSpan(span + 1);
  }, [isTooMuch, span]);
  return html`<${Card} title=${title} sub=${span > 0 ? 'More has moved in ninety days than can be shown at once.' : null}>
    <${Loaded} from=${isTooMuch ? { ...statement, failure: null } : statement} height="310px">
      ${() =>
        entries.length === 0
          ? html`<${Empty} icon="wallet" title="Nothing has moved yet.">The first top-up begins the picture.<//>`
          : html`<${Plot} days=${days} label=${(at) => shortDay(at * 1000, here.zone)} />`}
    <//>
  <//>`;
}

function Transactions() {
  const here = useHere();
  const route = useRoute();
  const type = route.value('type');
  const pages = usePages(query('/api/billing/wallet/transactions', { limit: 20, type }), 'transactions');
  const columns = [
    {
      name: 'what',
      label: 'What',
      main: true,
      cell: (entry) => html`${ENTRY[entry.type] ?? entry.type}`,
    },
    {
      name: 'about',
      label: 'About', long: true,
      cell: (entry) => html`${entry.description}
        ${entry.call_id && html`<small><${Link} to=${`/calls/${encodeURIComponent(entry.call_id)}`}>The call${entry.phone_number ? ` with ${phone(entry.phone_number)}` : ''}<//></small>`}
        ${!entry.call_id && entry.phone_number && html`<small class="num">${phone(entry.phone_number)}</small>`}
        ${entry.stripe_payment_intent_id && html`<small>Payment <code>${entry.stripe_payment_intent_id}</code><${Copy} value=${entry.stripe_payment_intent_id} what="payment’s id" /></small>`}`,
    },
    { name: 'when', label: 'When', cell: (entry) => html`<span class="num">${moment(entry.created_at, here.zone)}</span>` },
    { name: 'amount', label: 'Amount', align: 'end', cell: (entry) => html`<span class="strong">${entry.direction === 'debit' ? '−' : '+'}${money(entry.amount_pence)}</span>` },
    { name: 'balance', label: 'Balance', align: 'end', quiet: true, cell: (entry) => money(entry.balance_after_pence) },
  ];
  return html`<${Card}
    kind="card-flush"
    title="Transactions"
    actions=${html`<div class="filters"><${Select} label="Kind" value=${type} onInput=${(next) => route.set({ type: next })} options=${[['', 'Every kind'], ...Object.entries(ENTRY)]} /></div>`}
  >
    ${
      pages.items === null
        ? pages.failure
          ? html`<${Problem} failure=${pages.failure} onRetry=${pages.reload} />`
          : html`<${Skeleton} lines=${8} />`
        : pages.items.length === 0
          ? html`<${Empty} icon="wallet" title=${type ? 'Nothing of this kind has moved.' : 'Nothing has moved yet.'}>${type ? 'Choose every kind to see the rest.' : 'Top up by card to begin.'}<//>`
          : html`<${Table} caption="Transactions, newest first" columns=${columns} rows=${pages.items} rowKey=${(entry) => entry.seq} />`
    }
    <${More} pages=${pages} />
  <//>`;
}

function Statement() {
  const here = useHere();
  const today = dayOf(now(), here.zone);
  const [from, setFrom] = useState(`${today.slice(0, 8)}01`);
  const [to, setTo] = useState(today);
  const [busy, setBusy] = useState('');
  const [error, setError] = useState('');
  const [failure, setFailure] = useState(/** @type {any} */ (null));
  const download = async (/** @type {'csv' | 'json'} */ format) => {
    setFailure(null);
    setError(from > to ? 'It lies after the last day.' : '');
    if (from > to) return;
    setBusy(format);
    try {
      const { data } = await call('GET', query('/api/billing/wallet/statement', { from, to, format }), { as: 'text' });
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([data], { type: format === 'csv' ? 'text/csv' : 'application/json' }));
      link.download = `statement-${from}-to-${to}.${format}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      setFailure(failureOf(error));
    }
    setBusy('');
  };
  return html`<${Card} title="Statement" sub="Every entry with the hash that chains it to the one before: you can verify it yourself.">
    <div class="stack">
      <div class="fields">
        <${Text} label="From" type="date" value=${from} onInput=${setFrom} error=${error} />
        <${Text} label="To, included" type="date" value=${to} onInput=${setTo} />
      </div>
      <${Problem} failure=${failure} />
      <div class="form-actions">
        <${Button} icon="download" isBusy=${busy === 'csv'} disabled=${!from || !to} onClick=${() => download('csv')}>CSV<//>
        <${Button} icon="download" isBusy=${busy === 'json'} disabled=${!from || !to} onClick=${() => download('json')}>JSON<//>
      </div>
    </div>
  <//>`;
}

/** What is said until the figures are there, unseen: it takes their room in every width. */
const USUAL = { available_pence: 10_000, estimated_minutes_remaining: 100, rate_per_minute_pence: RATE, held_pence: 1_000, live_calls: 0, balance_pence: 10_000 };

function Money({ wallet }) {
  const of = wallet ?? USUAL;
  return html`${!wallet && html`<span class="skeleton unseen" role="status">Loading</span>`}
    <dl class=${classes('figures', !wallet && 'figures-awaited')}>
      <div class="figure figure-main"><dt>Available</dt><dd data-available=${wallet ? 'true' : undefined}>${money(of.available_pence)}</dd><dd class="figure-note">about ${of.estimated_minutes_remaining} min of talk at ${of.rate_per_minute_pence}p a minute</dd></div>
      <div class="figure"><dt>Held for calls</dt><dd>${money(of.held_pence)}</dd><dd class="figure-note">${of.live_calls === 0 ? 'no call goes on' : `${of.live_calls} ${of.live_calls === 1 ? 'call goes' : 'calls go'} on`}</dd></div>
      <div class="figure"><dt>Balance</dt><dd>${money(of.balance_pence)}</dd><dd class="figure-note">available and held together</dd></div>
    </dl>`;
}

export default function Wallet() {
  const here = useHere();
  const route = useRoute();
  const wallet = useGet('/api/billing/wallet', { every: (data) => (data?.live_calls ? 3_000 : 20_000) });
  const topup = route.value('topup');
  useEffect(() => {
    if (topup === 'success') toast('Thank you. The money is in the wallet as soon as the payment is confirmed.');
    if (topup === 'cancelled') toast('Nothing was paid.', 'bad');
    if (topup === 'success' || topup === 'cancelled') {
      route.set({ topup: null });
      // The payment's confirmation comes by its own way, mostly within seconds.
      for (const wait of [2_000, 5_000, 10_000]) setTimeout(() => changed('/api/billing/wallet'), wait);
    }
  }, [topup]);
  return html`<div class="page">
    <${PageHead}
      title="Wallet"
      sub="Prepaid. Calls are billed by the second."
      actions=${here.mayChange && html`<${Button} kind="primary" icon="card" onClick=${() => route.set({ topup: 'open' })}>Top up<//>`}
    />
    ${!wallet.data && !wallet.failure && html`<div><${Money} wallet=${null} /></div>`}
    ${(wallet.data || wallet.failure) && html`<${Loaded} from=${wallet}>
      ${(data) => html`${data.is_low_balance && html`<${Note} tone="warn" title="Little is left.">A call needs a minute’s money to begin. Below ${money(data.low_balance_pence)} we remind you.<//>`}
        <${Money} wallet=${data} />`}
    <//>`}
    <${History} balance=${wallet.data?.balance_pence ?? 0} />
    <${Transactions} />
    <div class="columns">
      ${wallet.data && html`<${AutoRecharge} key=${JSON.stringify([wallet.data.auto_recharge_enabled, wallet.data.auto_recharge.amount_pence, wallet.data.auto_recharge.threshold_pence, wallet.data.auto_recharge.monthly_limit, wallet.data.has_payment_method])} wallet=${wallet.data} />`}
      ${!wallet.data && !wallet.failure && html`<${Card} title="Auto-recharge"><${Skeleton} lines=${5} /><//>`}
      <${Statement} />
    </div>
    ${topup === 'open' && here.mayChange && html`<${TopUp} onClose=${() => route.set({ topup: null })} />`}
  </div>`;
}
