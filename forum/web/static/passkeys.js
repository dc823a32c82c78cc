// Passkeys: asks the device, and sends what it answers as a form. Without it, passwords and codes work.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0));
const written = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const challenge = async (path, body) => {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(answer.status);
  const options = await answer.json();
  options.challenge = bytes(options.challenge);
  return options;
};
const make = async () => {
  const publicKey = await challenge('/api/v1/me/passkey-challenges', {});
  publicKey.user.id = bytes(publicKey.user.id);
  publicKey.excludeCredentials.forEach((known) => (known.id = bytes(known.id)));
  return navigator.credentials.create({ publicKey });
};
const show = async (purpose) =>
  navigator.credentials.get({ publicKey: await challenge('/api/v1/passkey-challenges', { purpose }) });
const PARTS = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];
const asText = ({ id, rawId, type, response }) => {
  const parts = PARTS.filter((name) => response[name]).map((name) => [name, written(response[name])]);
  return JSON.stringify({ id, rawId: written(rawId), type, response: Object.fromEntries(parts) });
};
if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    const purpose = form.dataset.passkey;
    form.classList.remove('waits');
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      try {
        const credential = await (purpose === 'create' ? make() : show(purpose));
        form.elements.credential.value = asText(credential);
        form.submit();
      } catch (error) {
        const sorry = form.querySelector('[data-sorry]');
        sorry.textContent = sorry.dataset.sorry;
      }
    });
  }
}
