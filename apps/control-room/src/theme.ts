/** Light or dark: as the system says, until somebody chooses. */
import { createSignal } from 'solid-js';

export type Theme = 'dark' | 'light';
const KEY = 'enerchain-theme';

const system = matchMedia('(prefers-color-scheme: light)');
const stored = (): Theme | undefined => {
  const value = localStorage.getItem(KEY);
  return value === 'dark' || value === 'light' ? value : undefined;
};
const current = (): Theme => stored() ?? (system.matches ? 'light' : 'dark');

const [theme, setTheme] = createSignal<Theme>(current());
const apply = () => {
  setTheme(current());
  document.documentElement.dataset.theme = current();
};
system.addEventListener('change', apply);
addEventListener('storage', apply);
apply();

export { theme };
export function toggleTheme(): void {
  localStorage.setItem(KEY, theme() === 'dark' ? 'light' : 'dark');
  apply();
}
