// Before anything is drawn: light or dark, as it was chosen on this machine, or else as the system has it.
(() => {
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');
  const show = () => {
    root.dataset.theme = root.dataset.chosen ?? (system.matches ? 'dark' : 'light');
  };
  try {
    const chosen = localStorage.getItem('theme');
    if (chosen === 'light' || chosen === 'dark') root.dataset.chosen = chosen;
  } catch {
    // A browser that keeps nothing shows what the system says.
  }
  show();
  const turn = () => {
    show();
    dispatchEvent(new Event('themechange'));
  };
  addEventListener('themechosen', turn);
  system.addEventListener('change', turn);
})();
