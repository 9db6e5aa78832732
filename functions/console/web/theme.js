// Before anything is drawn: the choice of light or dark that was made on this machine. Without one the system's holds.
(() => {
  let choice = null;
  try {
    choice = localStorage.getItem('theme');
  } catch {
    // A browser that keeps nothing shows what the system says.
  }
  if (choice === 'light' || choice === 'dark') document.documentElement.dataset.theme = choice;
})();
