// What is known of the clinic and of the person on every screen.
import { createContext, useContext } from './html.js';

/**
 * @typedef {object} Here
 * @property {string} zone the clinic's
 * @property {string} name
 * @property {'owner' | 'admin' | 'staff' | 'viewer' | 'operator'} role
 * @property {string} environment
 */

/** @type {any} */
export const HereContext = createContext(/** @type {Here} */ ({ zone: 'UTC', name: '', role: 'viewer', environment: '' }));

/** @returns {Here & {mayChange: boolean, mayKeepDiary: boolean, maySeeBusiness: boolean}} */
export function useHere() {
  const here = useContext(HereContext);
  const { role } = here;
  return {
    ...here,
    mayChange: role === 'owner' || role === 'admin',
    mayKeepDiary: role === 'owner' || role === 'admin' || role === 'staff',
    maySeeBusiness: role === 'owner' || role === 'admin' || role === 'viewer',
  };
}

/** What each role may do. @type {Record<string, string>} */
export const MAY = {
  owner: 'Sees and changes all.',
  admin: 'Sees and changes all, but who is an owner.',
  staff: 'Keeps the diary and the messages; sees no money.',
  viewer: 'Sees all, changes nothing.',
};

/** @type {Record<string, string>} */
export const ROLES = { owner: 'Owner', admin: 'Administrator', staff: 'Staff', viewer: 'Viewer', operator: 'Operator' };
