// Helps where it can; nothing needs it. Stores nothing on the device.
const leave = document.querySelector('form.leave');
const away = () => {
  document.documentElement.hidden = true;
  document.title = ' ';
  document.body.textContent = '';
  fetch(leave.action, { method: 'POST', keepalive: true }).catch(() => {});
  location.replace(leave.dataset.leave);
};
if (leave) {
  leave.addEventListener('submit', (event) => {
    event.preventDefault();
    away();
  });
  let presses = [];
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') {
      presses = [];
      return;
    }
    presses = [...presses.filter((at) => event.timeStamp - at < 2000), event.timeStamp];
    if (presses.length >= 3) away();
  });
}
const faults = document.getElementById('faults');
if (faults) faults.focus();
// Words that somebody marked in a text, for a field that takes them.
const marking = document.querySelector('[data-mark]');
if (marking) {
  let marked = '';
  document.addEventListener('selectionchange', () => {
    const chosen = getSelection();
    const within = chosen.anchorNode && chosen.anchorNode.parentElement.closest('[data-words]');
    if (within && !chosen.isCollapsed) marked = String(chosen).replace(/\s+/g, ' ').trim();
  });
  marking.hidden = false;
  marking.addEventListener('click', () => {
    const field = document.getElementById(marking.dataset.mark);
    if (marked) field.value += (field.value ? '\n' : '') + marked;
    marked = '';
  });
}
// The link of a mail has its secret after the "#", which no server sees: it goes into the field, and out of the address.
const link = document.querySelector('[data-link]');
if (link && location.hash.length > 20) {
  link.value = location.hash.slice(1);
  history.replaceState(null, '', location.pathname);
}
for (const field of document.querySelectorAll('input[data-show]')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = field.dataset.show;
  button.setAttribute('aria-pressed', 'false');
  button.setAttribute('aria-controls', field.id);
  button.addEventListener('click', () => {
    const isShown = field.type === 'text';
    field.type = isShown ? 'password' : 'text';
    button.setAttribute('aria-pressed', String(!isShown));
  });
  field.after(button);
}
const printer = document.querySelector('button[data-print]');
if (printer) {
  printer.hidden = false;
  printer.addEventListener('click', () => print());
}
