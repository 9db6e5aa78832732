// The frame: where the clinic is, where one may go, and who is signed in.
import { useGet } from './lib/api.js';
import { ROLES } from './lib/clinic.js';
import { html, useLayoutEffect, useRef, useState } from './lib/html.js';
import { useRoute } from './lib/router.js';
import { signOut } from './lib/session.js';
import { Button, Icon, Link, Segments, classes, toast } from './lib/ui.js';

const ALL = ['owner', 'admin', 'viewer', 'staff'];
const BUSINESS = ['owner', 'admin', 'viewer'];

/** @type {{label: string, items: {to: string, label: string, icon: string, roles: string[]}[]}[]} */
const GROUPS = [
  {
    label: 'Reception',
    items: [
      { to: '/today', label: 'Today', icon: 'home', roles: ALL },
      { to: '/calls', label: 'Calls', icon: 'phone', roles: ALL },
      { to: '/calendar', label: 'Calendar', icon: 'calendar', roles: ALL },
      { to: '/contacts', label: 'Contacts', icon: 'contacts', roles: ALL },
    ],
  },
  {
    label: 'Practice',
    items: [
      { to: '/wallet', label: 'Wallet', icon: 'wallet', roles: BUSINESS },
      { to: '/agents', label: 'Agents', icon: 'robot', roles: BUSINESS },
      { to: '/numbers', label: 'Numbers', icon: 'grid', roles: BUSINESS },
      { to: '/clinic', label: 'Clinic', icon: 'settings', roles: ALL },
      { to: '/team', label: 'Team', icon: 'team', roles: BUSINESS },
      { to: '/start', label: 'Start', icon: 'checklist', roles: BUSINESS },
    ],
  },
  {
    label: 'Operations',
    items: [
      { to: '/operations', label: 'Runs', icon: 'refresh', roles: ['operator'] },
      { to: '/operations/doubts', label: 'Doubts', icon: 'alert', roles: ['operator'] },
      { to: '/operations/wallets', label: 'Wallets', icon: 'wallet', roles: ['operator'] },
      { to: '/operations/clinics', label: 'New clinic', icon: 'plus', roles: ['operator'] },
      { to: '/operations/orphans', label: 'Unclaimed numbers', icon: 'phone', roles: ['operator'] },
    ],
  },
];

/** Which entry an address belongs to. @param {string} path @param {string} to */
function isHere(path, to) {
  if (to === '/operations') return path === to;
  if (to === '/calendar' && path.startsWith('/appointments/')) return true;
  return path === to || path.startsWith(`${to}/`);
}

function Nav({ role, onGo = () => {} }) {
  const { path } = useRoute();
  return html`<nav aria-label="Main" class="nav">
    ${GROUPS.map(({ label, items }) => {
      const seen = items.filter((item) => item.roles.includes(role));
      if (seen.length === 0) return null;
      return html`<div key=${label}>
        <p class="nav-group">${label}</p>
        <ul>
          ${seen.map(
            ({ to, label: name, icon }) => html`<li key=${to}>
              <${Link} to=${to} aria-current=${isHere(path, to) ? 'page' : undefined} onClickCapture=${onGo}><${Icon} name=${icon} />${name}<//>
            </li>`,
          )}
        </ul>
      </div>`;
    })}
  </nav>`;
}

function Theme() {
  const [choice, setChoice] = useState(document.documentElement.dataset.chosen ?? 'system');
  const choose = (/** @type {string} */ next) => {
    setChoice(next);
    if (next === 'system') delete document.documentElement.dataset.chosen;
    else document.documentElement.dataset.chosen = next;
    try {
      if (next === 'system') localStorage.removeItem('theme');
      else localStorage.setItem('theme', next);
    } catch {
      // It holds until the page is loaded again.
    }
    dispatchEvent(new Event('themechosen'));
  };
  return html`<${Segments}
    label="Light or dark"
    value=${choice}
    onInput=${choose}
    options=${[
      ['light', 'Light', 'sun'],
      ['system', 'As the system', 'system'],
      ['dark', 'Dark', 'moon'],
    ]}
  />`;
}

async function leave() {
  const said = await signOut();
  if (said) toast(said, 'bad');
}

function Person({ session }) {
  return html`<div class="person">
    <${Theme} />
    <div class="person-line">
      <div class="person-name"><span>${session.user}</span><small>${ROLES[session.role]}</small></div>
      <${Button} kind="ghost" icon="signOut" label="Sign out" onClick=${leave} />
    </div>
  </div>`;
}

/** How much nobody has read. */
function Bell() {
  const unread = useGet('/api/notifications/unread', { every: 20_000 });
  const count = unread.data?.count ?? 0;
  const shown = count >= 100 ? '99+' : String(count);
  return html`<${Link} to="/notifications" class="bell" aria-label=${count ? `Notifications, ${shown} unread` : 'Notifications'}>
    <${Icon} name="bell" size=${20} />
    ${count > 0 && html`<span class="bell-count" aria-hidden="true">${shown}</span>`}
  <//>`;
}

function Brand({ name }) {
  return html`<div class="brand">
    <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><rect width="32" height="32" rx="8" fill="var(--accent-solid)" /><path d="M8 10l5.500 13h5L24 10" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" /></svg>
    <div class="brand-name"><strong>Voxanne</strong>${name && html`<span title=${name} data-may-cut>${name}</span>`}</div>
  </div>`;
}

function Menu({ session, clinicName }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [isOpen, setOpen] = useState(false);
  useLayoutEffect(() => {
    if (isOpen) ref.current?.showModal();
    else ref.current?.close();
  }, [isOpen]);
  const close = () => setOpen(false);
  return html`<${Button} kind="ghost" icon="menu" label="Menu" aria-expanded=${isOpen ? 'true' : 'false'} onClick=${() => setOpen(true)} />
    <dialog ref=${ref} class="drawer" aria-label="Menu" onClose=${close} onClick=${(event) => event.target === ref.current && close()}>
      <div class="drawer-in">
        <div class="drawer-head"><${Brand} name=${clinicName} /><${Button} kind="ghost" icon="close" label="Close the menu" onClick=${close} /></div>
        <${Nav} role=${session.role} onGo=${close} />
        <${Person} session=${session} />
      </div>
    </dialog>`;
}

/** What the environment's banner says. @param {string} environment */
function bannerOf(environment) {
  if (environment === 'production') return null;
  const name = environment === 'development' ? 'sandbox' : environment || 'sandbox';
  return `${name[0].toUpperCase()}${name.slice(1)}: nobody is rung for real, and no real money moves.`;
}

export function Shell({ session, clinicName, children }) {
  const banner = bannerOf(session.config?.environment ?? '');
  const isMember = session.role !== 'operator';
  return html`<a class="skip" href="#main">To the content</a>
    <aside class=${classes('banner', !banner && 'banner-production')} aria-label="Environment">${banner ?? 'Production: calls are real, and so is the money.'}</aside>
    <div class="frame">
      <header class="side">
        <div class="side-head"><${Brand} name=${clinicName} />${isMember && html`<${Bell} />`}</div>
        <${Nav} role=${session.role} />
        <${Person} session=${session} />
      </header>
      <header class="top">
        <${Menu} session=${session} clinicName=${clinicName} />
        <${Brand} name=${clinicName} />
        ${isMember && html`<${Bell} />`}
      </header>
      <main id="main" tabindex="-1">${children}</main>
    </div>`;
}
