// Today: who is on the phone, who comes, and what needs an answer.
import { useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { now } from '../lib/clock.js';
import { html } from '../lib/html.js';
import { LiveCalls, useNow } from '../lib/live.js';
import { RATE, affordable, money } from '../lib/money.js';
import { Notice } from '../lib/notices.js';
import { clock, dayOf, duration, longDay } from '../lib/time.js';
import { ButtonLink, Card, Empty, Link, Loaded, Note, PageHead, Problem, Skeleton, classes, useTick } from '../lib/ui.js';
import { appointmentBadge } from '../lib/words.js';

function Live({ live }) {
  const calls = live.data?.shown.calls;
  const count = calls?.length ?? 0;
  return html`<${Card} title="On the phone now" sub=${count > 0 ? `${count} ${count === 1 ? 'call' : 'calls'}` : null}>
    ${
      !calls
        ? html`<${Skeleton} height="8.25rem" />`
        : count > 0
          ? html`<${LiveCalls} calls=${calls} at=${live.data.at} rate=${live.data.shown.wallet?.rate_per_minute_pence ?? RATE} />`
          : html`<${Empty} icon="phone" title="Nobody is on the phone.">Calls show themselves here while they go on.<//>`
    }
  <//>`;
}

function Figures({ wallet }) {
  const stats = useGet('/api/calls-dashboard/stats?timeWindow=7d', { every: 60_000 });
  if (stats.failure && !stats.data) return html`<${Loaded} from=${stats}>${() => null}<//>`;
  const of = stats.data;
  const dash = '–';
  return html`<dl class="figures">
    <div class="figure"><dt>Calls today</dt><dd>${of ? of.callsToday : dash}</dd></div>
    <div class="figure"><dt>Calls in 7 days</dt><dd>${of ? of.totalCalls : dash}</dd><dd class="figure-note">${of ? `${of.completedCalls} completed` : ' '}</dd></div>
    <div class="figure"><dt>Average call</dt><dd>${of ? duration(of.avgDuration) : dash}</dd><dd class="figure-note">in 7 days</dd></div>
    <div class="figure"><dt>Spent in 7 days</dt><dd>${of ? money(of.spentPence) : dash}</dd><dd class="figure-note">${of ? `${of.minutesBilled} min billed` : ' '}</dd></div>
    <div class="figure"><dt>Available</dt><dd>${wallet ? money(wallet.available_pence) : dash}</dd><dd class="figure-note">${wallet ? `about ${Math.floor(affordable(wallet.available_pence, wallet.rate_per_minute_pence) / 60)} min of talk` : ' '}</dd></div>
  </dl>`;
}

function Appointments({ live }) {
  const here = useHere();
  useTick(30_000);
  const at = now();
  const shown = live.data?.shown.appointments.filter((one) => one.status !== 'cancelled');
  return html`<${Card}
    title="Appointments today"
    actions=${html`<${ButtonLink} small icon="calendar" to="/calendar">Calendar<//>`}
  >
    ${!shown && html`<${Skeleton} lines=${5} />`}
    ${
      shown?.length === 0 &&
      html`<${Empty} icon="calendar" title="Nobody is booked for today." action=${here.mayKeepDiary ? html`<${ButtonLink} to="/calendar?new=1" icon="plus">Book an appointment<//>` : null}>
        What callers and staff book for today stands here.
      <//>`
    }
    ${
      shown?.length > 0 &&
      html`<ol class="agenda">
        ${shown.map((one) => {
          const [from, to] = [Date.parse(one.scheduled_time), Date.parse(one.ends_at)];
          return html`<li key=${one.id}>
            <span class=${classes('num', from <= at && at < to && 'now', to <= at && 'past')}>${clock(from, here.zone)}–${clock(to, here.zone)}</span>
            <span class="what"><${Link} to=${`/appointments/${encodeURIComponent(one.id)}`}>${one.contact_name}<//><small>${one.service_type}</small></span>
            ${appointmentBadge(one.status)}
          </li>`;
        })}
      </ol>`
    }
    ${live.data?.shown.has_more_appointments && html`<p class="fine">There are more. <${Link} to=${`/calendar?day=${dayOf(at, here.zone)}&view=day`}>See the whole day<//></p>`}
  <//>`;
}

function Answers() {
  const list = useGet('/api/notifications?status=unread&limit=10', { every: 15_000 });
  return html`<${Card} title="Needs an answer" actions=${html`<${ButtonLink} small to="/notifications" icon="bell">All<//>`}>
    <${Loaded} from=${list} lines=${4}>
      ${(data) =>
        data.notifications.length > 0
          ? html`<ul class="notices">${data.notifications.map((item) => html`<${Notice} key=${item.id} item=${item} />`)}</ul>`
          : html`<${Empty} icon="check" title="Nothing waits for an answer.">Messages that callers leave, emergencies, and trouble with the calendar stand here until somebody has seen to them.<//>`}
    <//>
  <//>`;
}

function LowMoney({ wallet }) {
  const here = useHere();
  if (!wallet?.is_low_balance) return null;
  return html`<${Note}
    tone="warn"
    title=${`${money(wallet.available_pence)} is left: calls may be refused.`}
    actions=${here.mayChange ? html`<${ButtonLink} small kind="primary" to="/wallet?topup=open">Top up<//>` : null}
  >
    A call needs a minute’s money to begin.
  <//>`;
}

export default function Today() {
  const here = useHere();
  const live = useNow();
  const wallet = live.data?.shown.wallet ?? null;
  // What cannot be read is said once, and not in each of its parts.
  const isLost = live.failure && !live.data;
  return html`<div class="page">
    <${PageHead} title="Today" sub=${`${longDay(now(), here.zone)}${here.name ? ` · ${here.name}` : ''}`} />
    <${Problem} failure=${live.failure} onRetry=${live.reload} isBusy=${live.isLoading} />
    ${here.maySeeBusiness && html`<${LowMoney} wallet=${wallet} /><${Figures} wallet=${wallet} />`}
    ${!isLost && html`<${Live} live=${live} />`}
    <div class="columns">${!isLost && html`<${Appointments} live=${live} />`}<${Answers} /></div>
  </div>`;
}
