// Helps where it can; nothing needs it. Stores nothing on the device.
const leave = document.querySelector('form.leave');
const away = () => {
  document.documentElement.hidden = true;
  document.body.replaceChildren();
  fetch(leave.action, { method: 'POST', keepalive: true });
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
