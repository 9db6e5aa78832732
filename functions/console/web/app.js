// Starts the console: who is signed in, where the page is, and the frame around every screen.
import './lib/arrival.js';
import { useGet } from './lib/api.js';
import { HereContext } from './lib/clinic.js';
import { html, render, useEffect, useErrorBoundary, useState } from './lib/html.js';
import { go, useRoute } from './lib/router.js';
import { answerLink, noticed, session, signOut, start } from './lib/session.js';
import { useStore } from './lib/store.js';
import { Button, Empty, Note, Problem, Skeleton, Toasts, toast } from './lib/ui.js';
import { Shell } from './shell.js';

const BUSINESS = ['owner', 'admin', 'viewer'];
const MEMBERS = [...BUSINESS, 'staff'];

/**
 * Every screen: its address, the module that draws it, and who sees it.
 * @type {{at: RegExp, load: () => Promise<any>, title: string, roles: string[]}[]}
 */
const SCREENS = [
  { at: /^\/today$/, load: () => import('./screens/today.js'), title: 'Today', roles: MEMBERS },
  { at: /^\/start$/, load: () => import('./screens/start.js'), title: 'Start', roles: BUSINESS },
  { at: /^\/calls$/, load: () => import('./screens/calls.js'), title: 'Calls', roles: MEMBERS },
  { at: /^\/calls\/(?<id>[^/]+)$/, load: () => import('./screens/call.js'), title: 'Call', roles: MEMBERS },
  { at: /^\/wallet$/, load: () => import('./screens/wallet.js'), title: 'Wallet', roles: BUSINESS },
  { at: /^\/calendar$/, load: () => import('./screens/calendar.js'), title: 'Calendar', roles: MEMBERS },
  { at: /^\/calendar\/(?<part>services|hours|sync)$/, load: () => import('./screens/offer.js'), title: 'Calendar', roles: MEMBERS },
  { at: /^\/appointments\/(?<id>[^/]+)$/, load: () => import('./screens/appointment.js'), title: 'Appointment', roles: MEMBERS },
  { at: /^\/contacts$/, load: () => import('./screens/contacts.js'), title: 'Contacts', roles: MEMBERS },
  { at: /^\/contacts\/(?<id>[^/]+)$/, load: () => import('./screens/contact.js'), title: 'Contact', roles: MEMBERS },
  { at: /^\/notifications$/, load: () => import('./screens/notifications.js'), title: 'Notifications', roles: MEMBERS },
  { at: /^\/agents$/, load: () => import('./screens/agents.js'), title: 'Agents', roles: BUSINESS },
  { at: /^\/numbers$/, load: () => import('./screens/numbers.js'), title: 'Numbers', roles: BUSINESS },
  { at: /^\/team$/, load: () => import('./screens/team.js'), title: 'Team', roles: BUSINESS },
  { at: /^\/clinic$/, load: () => import('./screens/clinic.js'), title: 'Clinic', roles: MEMBERS },
  { at: /^\/operations(?:\/(?<part>[a-z-]+))?$/, load: () => import('./screens/operations.js'), title: 'Operations', roles: ['operator'] },
];

/** What the way back from Google says. @type {Record<string, [string, 'good' | 'bad']>} */
const RETURNS = {
  calendar_connected: ['The calendar is connected.', 'good'],
  user_denied_consent: ['Google was not allowed to share the calendar. Connect it again when you are ready.', 'bad'],
  oauth_state_invalid: ['That consent was too old, or begun in another browser. Connect the calendar again.', 'bad'],
  scopes_missing: ['Google shared too little. Connect again and leave every box ticked.', 'bad'],
  oauth_token_exchange_failed: ['Google did not finish the connection. Try again in a minute.', 'bad'],
};

/** The screen of an address, and what the address names. @param {string} path */
function screenOf(path) {
  for (const screen of SCREENS) {
    const match = screen.at.exec(path);
    if (match) return namesIn(match.groups ?? {}, screen);
  }
  return null;
}

/** @param {Record<string, string | undefined>} groups @param {typeof SCREENS[number]} screen */
function namesIn(groups, screen) {
  try {
    return { screen, params: Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, value ? decodeURIComponent(value) : ''])) };
  } catch {
    // It is not written as addresses are: there is nothing.
    return null;
  }
}

/** The screen at this address, once its module is there. */
function Screen({ role }) {
  const { path } = useRoute();
  const [loaded, setLoaded] = useState({ at: /** @type {RegExp | null} */ (null), draw: /** @type {any} */ (null), isLost: false });
  const found = screenOf(path);
  const at = found?.screen.at ?? null;
  const load = () => {
    if (!found) return;
    found.screen
      .load()
      .then((module) => setLoaded({ at, draw: module.default, isLost: false }))
      .catch(() => setLoaded({ at, draw: null, isLost: true }));
  };
  useEffect(load, [at]);
  useEffect(() => {
    document.title = found ? `${found.screen.title} · Voxanne` : 'Voxanne';
  }, [path]);
  useFocusOnHead(path, loaded.draw !== null && loaded.at === at);

  if (!found) {
    return html`<h1 tabindex="-1" class="unseen">Nothing here</h1>
      <${Empty} title="There is nothing at this address." icon="search" action=${html`<${Button} kind="primary" onClick=${() => go('/')}>To the first page<//>`}>
        The link may be old, or a letter of it missing.
      <//>`;
  }
  if (!found.screen.roles.includes(role)) {
    return html`<h1 tabindex="-1" class="unseen">${found.screen.title}</h1>
      <${Empty} title="Your role does not see this." icon="shield">Ask an administrator or owner of the clinic.<//>`;
  }
  if (loaded.isLost && loaded.at === at) {
    return html`<${Note} tone="bad" actions=${html`<${Button} icon="refresh" onClick=${() => location.reload()}>Load the page again<//>`}>
      This part of the console could not be loaded. It may have been replaced by a newer one.
    <//>`;
  }
  if (loaded.at !== at || !loaded.draw) return html`<${Skeleton} lines=${6} />`;
  return html`<${Guarded} key=${path} draw=${loaded.draw} params=${found.params} />`;
}

/** A screen that fails says so, and leaves the rest alone. */
function Guarded({ draw: Draw, params }) {
  const [error, reset] = useErrorBoundary((thrown) => console.error(thrown));
  if (error) {
    return html`<h1 tabindex="-1">Something went wrong</h1>
      <${Note} tone="bad" actions=${html`<${Button} icon="refresh" onClick=${reset}>Try again<//>`}>This screen could not be shown.<//>`;
  }
  return html`<${Draw} ...${params} />`;
}

/** On another page the reader begins at its heading: the keyboard and the screen reader are there. */
function useFocusOnHead(path, isThere) {
  const [before, setBefore] = useState(/** @type {string | null} */ (null));
  useEffect(() => {
    if (!isThere || before === path) return;
    if (before !== null) {
      scrollTo(0, 0);
      const head = document.querySelector('main h1');
      if (head instanceof HTMLElement) head.focus({ preventScroll: true });
    }
    setBefore(path);
  }, [path, isThere]);
}

/** What a member of a clinic sees: the clinic is known before anything is drawn, because its zone is in every time. */
function Member({ now }) {
  const clinic = useGet('/api/clinic');
  if (!clinic.data) {
    return html`<${Shell} session=${now} clinicName="">
      ${clinic.failure ? html`<h1 class="unseen">Voxanne</h1><${Problem} failure=${clinic.failure} onRetry=${clinic.reload} isBusy=${clinic.isLoading} />` : html`<${Skeleton} lines=${6} />`}
    <//>`;
  }
  const here = {
    zone: clinic.data.time_zone,
    name: clinic.data.name ?? '',
    role: now.role,
    environment: now.config?.environment ?? '',
  };
  return html`<${HereContext.Provider} value=${here}>
    <${Shell} session=${now} clinicName=${here.name}><${Screen} role=${now.role} /><//>
  <//>`;
}

function Operator({ now }) {
  const here = { zone: 'UTC', name: '', role: now.role, environment: now.config?.environment ?? '' };
  return html`<${HereContext.Provider} value=${here}>
    <${Shell} session=${now} clinicName=""><${Screen} role="operator" /><//>
  <//>`;
}

function SignIn({ now }) {
  const [draw, setDraw] = useState(/** @type {any} */ (null));
  useEffect(() => {
    document.title = 'Sign in · Voxanne';
    import('./screens/sign-in.js').then((module) => setDraw(() => module.default));
  }, []);
  const Draw = draw;
  return draw ? html`<${Draw} now=${now} />` : html`<p class="starting">Starting…</p>`;
}

/** Somebody whom a link led here. */
const ByLink = () => html`<main class="alone"><h1>Sign in with this link?</h1>
  <p>Go on if you asked for it, or were invited. Whoever is signed in here is signed out by it.</p>
  <${Button} kind="primary" onClick=${() => answerLink(true)}>Sign in<//>
  <${Button} onClick=${() => answerLink(false)}>Not with this link<//>
</main>`;

/** Somebody without a place at a clinic. */
const NoRole = () => html`<main class="alone"><h1>Voxanne</h1>
  <${Note} tone="bad" actions=${html`<${Button} icon="signOut" onClick=${() => signOut()}>Sign out<//>`}>
    This account has no role at a clinic. Ask an administrator or owner of the clinic for one.
  <//>
</main>`;

function App() {
  const now = useStore(session);
  const { path, value } = useRoute();
  useEffect(() => {
    start();
  }, []);
  // Who is signed in already, and followed a link that is of no use, goes on.
  useEffect(() => {
    if (now.state !== 'in' || !now.notice) return;
    toast(now.notice, 'bad');
    noticed();
  }, [now.state, now.notice]);
  useEffect(() => {
    if (now.state !== 'in' || now.isChoosing || path !== '/') return;
    const said = RETURNS[value('success') || value('error')];
    if (said) toast(...said);
    go(said ? '/calendar/sync' : now.role === 'operator' ? '/operations' : '/today', { replace: true });
  }, [now.state, now.isChoosing, path]);

  let page;
  if (now.state === 'starting') page = html`<p class="starting">Starting…</p>`;
  else if (now.state === 'unreachable') {
    page = html`<main class="alone"><h1>Voxanne</h1>
      <${Note} tone="bad" actions=${html`<${Button} icon="refresh" onClick=${() => start()}>Try again<//>`}>The server cannot be reached. Check the connection and try again.<//>
    </main>`;
  } else if (now.state === 'out' || now.isChoosing) page = html`<${SignIn} now=${now} />`;
  else if (now.state === 'asked') page = html`<${ByLink} />`;
  else if (now.state === 'in' && !now.role) page = html`<${NoRole} />`;
  else if (now.role === 'operator') page = html`<${Operator} key=${now.user} now=${now} />`;
  else page = html`<${Member} key=${`${now.org}/${now.user}/${now.role}`} now=${now} />`;
  return html`${page}<${Toasts} />`;
}

const root = document.getElementById('app');
if (root) {
  root.textContent = '';
  render(html`<${App} />`, root);
}
