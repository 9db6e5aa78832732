// Signing in: by the issuer, with a password or a link; on the local stack as whoever is chosen.
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { MAY, ROLES } from '../lib/clinic.js';
import { SignInFailed, askForLink, choosePassword, goOn, localClinics, signIn, signInLocally } from '../lib/session.js';
import { Button, Form, Note, Select, Text } from '../lib/ui.js';

/** The clinic that the local stack starts with. */
const DEMO = 'de300000-0000-4000-8000-000000000001';
const ORG = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** @param {() => Promise<void>} act */
function useSigningIn(act) {
  const [isBusy, setBusy] = useState(false);
  const [sentence, setSentence] = useState('');
  const run = async () => {
    setBusy(true);
    setSentence('');
    try {
      await act();
    } catch (error) {
      setSentence(error instanceof SignInFailed ? error.message : 'That did not work. Try again in a moment.');
      setBusy(false);
    }
  };
  return { run, isBusy, setBusy, sentence, setSentence };
}

function Local() {
  const [clinics, setClinics] = useState([{ org_id: DEMO, name: /** @type {string | null} */ ('The demo clinic') }]);
  useEffect(() => {
    localClinics().then((found) => found.length > 0 && setClinics(found)).catch(() => {});
  }, []);
  const [org, setOrg] = useState(DEMO);
  const [other, setOther] = useState('');
  const [role, setRole] = useState('owner');
  const wanted = org === 'other' ? other.trim().toLowerCase() : org;
  const action = useSigningIn(() => signInLocally(role === 'operator' ? { operator: true } : { org_id: wanted, role }));
  const submit = () => {
    if (role !== 'operator' && !ORG.test(wanted)) action.setSentence('A clinic’s id looks like de300000-0000-4000-8000-000000000001.');
    else action.run();
  };
  return html`<${Form} onSubmit=${submit}>
    <div class="stack">
      <p class="sub">This is a stack on your own machine: choose who you are.</p>
      <${Select}
        label="Role"
        value=${role}
        onInput=${setRole}
        options=${Object.entries(ROLES)}
        hint=${role === 'operator' ? 'Looks after all clinics.' : MAY[role]}
      />
      ${
        role !== 'operator' &&
        html`<${Select} label="Clinic" value=${org} onInput=${setOrg} options=${[...clinics.map((clinic) => [clinic.org_id, clinic.name ?? clinic.org_id]), ['other', 'Another, by its id']]} />
          ${org === 'other' && html`<${Text} label="The clinic’s id" value=${other} onInput=${setOther} autocomplete="off" spellcheck="false" />`}`
      }
      ${action.sentence && html`<div role="alert"><${Note} tone="bad">${action.sentence}<//></div>`}
      <${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Sign in<//>
    </div>
  <//>`;
}

/** The first field of a form is where one begins to write, where a keyboard is at hand. */
function useFirstField() {
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => {
    // What is not to be written in is there for the browser, which keeps a password with its address.
    const field = ref.current?.querySelector('input:not([readonly])');
    if (field instanceof HTMLElement && matchMedia('(pointer: fine)').matches) field.focus();
  }, []);
  return ref;
}

function Issuer({ notice }) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [said, setSaid] = useState('');
  const byPassword = useSigningIn(() => signIn(email.trim(), password));
  const byLink = useSigningIn(async () => {
    setSaid(await askForLink(email.trim()));
    byLink.setBusy(false);
  });
  const first = useFirstField();
  const isBusy = byPassword.isBusy || byLink.isBusy;
  /** @param {ReturnType<typeof useSigningIn>} action @param {string} missing */
  const begin = (action, missing) => {
    for (const one of [byPassword, byLink]) one.setSentence('');
    setSaid('');
    if (missing) action.setSentence(missing);
    else action.run();
  };
  const noAddress = email.includes('@') ? '' : 'Write the e-mail address that the clinic knows you by.';
  const sentence = byPassword.sentence || byLink.sentence || (said ? '' : notice);
  return html`<${Form} onSubmit=${() => !isBusy && begin(byPassword, noAddress || (password ? '' : 'Write your password, or have a link sent to you.'))}>
    <div class="stack" ref=${first}>
      <${Text} label="E-mail" type="email" value=${email} onInput=${setEmail} autocomplete="username" autocapitalize="off" spellcheck="false" />
      <${Text} label="Password" type="password" value=${password} onInput=${setPassword} autocomplete="current-password" />
      <div>
        <div role="alert">${sentence && html`<${Note} tone="bad">${sentence}<//>`}</div>
        <div role="status">${said && html`<${Note} tone="good">${said}<//>`}</div>
      </div>
      <${Button} kind="primary" type="submit" isBusy=${byPassword.isBusy} disabled=${isBusy}>Sign in<//>
      <${Button} isBusy=${byLink.isBusy} disabled=${isBusy} onClick=${() => begin(byLink, noAddress)}>Send me a link instead<//>
      <p class="fine">No password yet, or forgotten? A link signs you in without one.</p>
    </div>
  <//>`;
}

/** Who took an invitation, or came to have another, chooses a password. */
function Choosing({ user }) {
  const [password, setPassword] = useState('');
  const action = useSigningIn(() => choosePassword(password));
  const first = useFirstField();
  const submit = () => (password ? action.run() : action.setSentence('Write the password that you want.'));
  return html`<${Form} onSubmit=${submit}>
    <div class="stack" ref=${first}>
      <p class="sub wrap">You are signed in as ${user}.</p>
      <input class="unseen" type="email" autocomplete="username" value=${user} readonly tabindex="-1" aria-hidden="true" />
      <${Text} label="New password" type="password" value=${password} onInput=${setPassword} autocomplete="new-password" hint="A few words are better than a short riddle." />
      <div role="alert">${action.sentence && html`<${Note} tone="bad">${action.sentence}<//>`}</div>
      <${Button} kind="primary" type="submit" isBusy=${action.isBusy}>Save the password<//>
      <${Button} disabled=${action.isBusy} onClick=${goOn}>Go on without one<//>
      <p class="fine">Without a password you sign in by a link that is sent to you.</p>
    </div>
  <//>`;
}

export default function SignIn({ now }) {
  const isLocal = now.config?.sign_in === 'local';
  let form = html`<${Issuer} notice=${now.notice} />`;
  if (now.isChoosing) form = html`<${Choosing} user=${now.user} />`;
  else if (isLocal) form = html`<${Local} />`;
  return html`<main class="alone">
    <svg viewBox="0 0 32 32" width="44" height="44" aria-hidden="true"><rect width="32" height="32" rx="8" fill="var(--accent-solid)" /><path d="M8 10l5.500 13h5L24 10" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" /></svg>
    <h1>${now.isChoosing ? 'Choose a password' : 'Sign in to Voxanne'}</h1>
    <div class="card">${form}</div>
  </main>`;
}
