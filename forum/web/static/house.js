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
