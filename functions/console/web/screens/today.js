// Today: who is on the phone, who comes, and what needs an answer.
import { useGet } from '../lib/api.js';
import { useHere } from '../lib/clinic.js';
import { now } from '../lib/clock.js';
import { html } from '../lib/html.js';
import { LiveCalls } from '../lib/live.js';
import { RATE, money } from '../lib/money.js';
import { Notice } from '../lib/notices.js';
import { masked } from '../lib/phone.js';
import { addDays, clock, dayOf, duration, longDay } from '../lib/time.js';
import { Badge, ButtonLink, Card, Empty, Link, Loaded, Note, PageHead, Problem, classes, useTick } from '../lib/ui.js';
import { appointmentBadge } from '../lib/words.js';

function Live({ wallet }) {
  const live = useGet('/api/calls-dashboard/live', { every: (data) => (data?.calls.length ? 2_000 : 10_000) });
  const rate = wallet.data?.rate_per_minute_pence ?? RATE;
  const count = live.data?.calls.length ?? 0;
  return html`<${Card} title="On the phone now" sub=${count > 0 ? `${count} ${count === 1 ? 'call' : 'calls'}` : null}>
    <${Loaded} from=${live} lines=${3}>
      ${(data) =>
        data.calls.length > 0
          ? html`<${LiveCalls} calls=${data.calls} rate=${rate} />`
          : html`<${Empty} icon="phone" title="Nobody is on the phone.">Calls show themselves here while they go on, with what they cost.<//>`}
    <//>
  <//>`;
}

/** Who may not see money sees who is on the phone. */
function LiveWithoutMoney() {
  const live = useGet('/api/calls-dashboard?cursor=first&status=in-progress&limit=20', { every: 10_000 });
  return html`<${Card} title="On the phone now">
    <${Loaded} from=${live} lines=${2}>
      ${(data) =>
        data.calls.length > 0
          ? html`<ul class="agenda">
              ${data.calls.map((call) => html`<li key=${call.id}>
                <span class="num">${masked(call.phone_number)}</span>
                <span class="what"><${Link} to=${`/calls/${encodeURIComponent(call.id)}`}>${call.call_direction === 'inbound' ? 'Rings in' : 'Is rung'}<//></span>
                <${Badge} tone="live">In progress<//>
              </li>`)}
            </ul>`
          : html`<${Empty} icon="phone" title="Nobody is on the phone.">Calls show themselves here while they go on.<//>`}
    <//>
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
    <div class="figure"><dt>Available</dt><dd>${wallet.data ? money(wallet.data.available_pence) : dash}</dd><dd class="figure-note">${wallet.data ? `about ${wallet.data.estimated_minutes_remaining} min of talk` : ' '}</dd></div>
  </dl>`;
}

function Appointments() {
  const here = useHere();
  useTick(30_000);
  const at = now();
  const today = dayOf(at, here.zone);
  const list = useGet(`/api/appointments?startDate=${today}&endDate=${today}&limit=100`, { every: 30_000 });
  return html`<${Card}
    title="Appointments today"
    actions=${html`<${ButtonLink} small icon="calendar" to="/calendar">Calendar<//>`}
  >
    <${Loaded} from=${list} lines=${5}>
      ${(data) => {
        const shown = data.appointments.filter((one) => one.status !== 'cancelled');
        if (shown.length === 0) {
          return html`<${Empty} icon="calendar" title="Nobody is booked for today." action=${here.mayKeepDiary ? html`<${ButtonLink} to="/calendar?new=1" icon="plus">Book an appointment<//>` : null}>
            What callers and staff book for today stands here.
          <//>`;
        }
        return html`<ol class="agenda">
            ${shown.map((one) => {
              const [from, to] = [Date.parse(one.scheduled_time), Date.parse(one.ends_at)];
              return html`<li key=${one.id}>
                <span class=${classes('num', from <= at && at < to && 'now', to <= at && 'past')}>${clock(from, here.zone)}–${clock(to, here.zone)}</span>
                <span class="what"><${Link} to=${`/appointments/${encodeURIComponent(one.id)}`}>${one.contact_name}<//><small>${one.service_type}</small></span>
                ${appointmentBadge(one.status)}
              </li>`;
            })}
          </ol>
          ${data.pagination.next_cursor && html`<p class="fine">There are more. <${Link} to=${`/calendar?day=${today}&view=day`}>See the whole day<//></p>`}`;
      }}
    <//>
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
  if (!wallet.data?.is_low_balance) return null;
  return html`<${Note}
    tone="warn"
    title=${`${money(wallet.data.available_pence)} is left: calls may be refused.`}
    actions=${here.mayChange ? html`<${ButtonLink} small kind="primary" to="/wallet?topup=open">Top up<//>` : null}
  >
    A call needs a minute’s money to begin.
  <//>`;
}

function Business() {
  const wallet = useGet('/api/billing/wallet', { every: 15_000 });
  return html`<${Problem} failure=${wallet.failure} onRetry=${wallet.reload} isBusy=${wallet.isLoading} />
    <${LowMoney} wallet=${wallet} />
    <${Figures} wallet=${wallet} />
    <${Live} wallet=${wallet} />`;
}

export default function Today() {
  const here = useHere();
  return html`<div class="page">
    <${PageHead} title="Today" sub=${`${longDay(now(), here.zone)}${here.name ? ` · ${here.name}` : ''}`} />
    ${here.maySeeBusiness ? html`<${Business} />` : html`<${LiveWithoutMoney} />`}
    <div class="columns"><${Appointments} /><${Answers} /></div>
  </div>`;
}
