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
// The address of an old comment has it after the "#", which no server sees: `#comment-9`, or `#p77`.
const old = location.hash.match(/^#((?:comment-|p)\d{1,10})$/);
if (old && /^\/threads\/\d+$/.test(location.pathname)) location.replace(`${location.pathname}/old/${old[1]}`);
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
// Who has seen the end of a page has read it: nothing is marked by opening it.
const read = document.querySelector('form[data-read]');
if (read && window.IntersectionObserver) {
  const watch = new IntersectionObserver((seen) => {
    if (!seen.some((each) => each.isIntersecting)) return;
    watch.disconnect();
    fetch(read.action, { method: 'POST', body: new URLSearchParams(new FormData(read)), redirect: 'manual' })
      .then(() => { read.hidden = true; })
      .catch(() => {});
  });
  watch.observe(read);
}
// What is pressed here needs no new page: words that somebody just types would be missing on it.
for (const form of document.querySelectorAll('form[data-quiet]')) {
  form.addEventListener('submit', async (event) => {
    const button = event.submitter;
    if (!button || form.isNative) return;
    event.preventDefault();
    try {
      const body = new URLSearchParams(button.name ? [[button.name, button.value]] : []);
      const answer = await fetch(form.action, { method: 'POST', body });
      const page = await answer.text();
      const id = form.dataset.quiet;
      if (!answer.ok) throw answer;
      if (id) document.getElementById(id).textContent = page.match(`id="${id}"[^>]*>([^<]*)`)[1];
      button.setAttribute('aria-pressed', String(button.getAttribute('aria-pressed') !== 'true'));
      const { other } = button.dataset;
      if (button.name) [button.dataset.other, button.name] = [button.name, other];
      else [button.dataset.other, form.action] = [form.action, other];
    } catch {
      form.isNative = true;
      button.click();
    }
  });
}
// What happens meanwhile is told, and the page stays as it is.
const news = document.querySelector('[data-news]');
const me = document.querySelector('.nav [href="/me"]');
if (window.EventSource && (news || me)) {
  const { thread, posts, last, one, news: many } = news ? news.dataset : {};
  const own = me && me.textContent;
  const found = new Set();
  let missed = 0;
  let seen = '';
  let source;
  const hear = (name, take) => source.addEventListener(name, (event) => {
    seen = event.lastEventId;
    take(JSON.parse(event.data));
    if (!news) return;
    const link = news.firstElementChild;
    const count = missed + found.size;
    news.hidden = !count;
    link.textContent = (count === 1 ? one : many).replace('0', count);
    const first = missed ? +last + 1 : Math.min(...found);
    if (thread) link.href = `/threads/${thread}?start=${first}#post-${first}`;
  });
  const listen = () => {
    if (source) source.close();
    if (document.hidden) return;
    source = new EventSource(`/api/v1/events?after=${seen}${thread ? `&thread=${thread}` : ''}`);
    hear('reset', ({ threads }) => {
      found.clear();
      missed = thread && threads.length ? Math.max(0, threads[0].posts - posts) : 0;
    });
    hear('post', ({ number }) => found.add(number));
    hear('removed', ({ number }) => found.delete(number));
    if (!thread) hear('queue', (about) => found[about.change === 'waits' ? 'add' : 'delete'](about.case));
    hear('notice', ({ unread }) => {
      me.textContent = own + (unread ? ` (${unread})` : '');
    });
  };
  listen();
  document.addEventListener('visibilitychange', listen);
}
// Threads like the one that somebody begins, once its title is there. Its line stands there before, so that nothing moves.
const similar = document.querySelector('[data-similar]');
if (similar) {
  const title = document.getElementById('field-title');
  const [count, hint, list] = ['span', 'p', 'ul'].map((name) => similar.querySelector(name));
  similar.hidden = false;
  title.addEventListener('change', async () => {
    try {
      const answer = await fetch(similar.dataset.similar, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ title: title.value }),
      });
      const { items } = answer.ok ? await answer.json() : { items: [] };
      list.textContent = '';
      for (const thread of items) {
        const link = document.createElement('a');
        link.href = `/threads/${thread.id}`;
        link.dir = 'auto';
        link.textContent = thread.title;
        list.appendChild(document.createElement('li')).append(link);
      }
      hint.hidden = items.length;
      count.textContent = items.length ? ` (${items.length})` : '';
    } catch {}
  });
}
const printer = document.querySelector('button[data-print]');
if (printer) {
  printer.hidden = false;
  printer.addEventListener('click', () => print());
}
// What somebody writes is sent when there is a line: a form that meets a dead one loses what is in it. What one composes
// is kept on the server before that, and after each pause.
for (const form of document.querySelectorAll('form')) {
  const fields = form.elements;
  const { draft, kept: saved } = form.dataset;
  if (!form.querySelector('textarea')) continue;
  let status = form.querySelector('[data-status]');
  const words = () => {
    const typed = { body_markdown: fields.body_markdown.value, content_warning: fields.content_warning.value || null };
    if (fields.title) typed.title = fields.title.value || null;
    for (const name of ['reply_to', 'revision']) if (fields[name]) typed[name] = Number(fields[name].value);
    if (fields.asks && fields.asks.value) typed.asks = fields.asks.value === 'yes';
    return typed;
  };
  let kept = draft && JSON.stringify(words());
  let last = Promise.resolve(true);
  let pause, pressed, isReady;
  const save = async () => {
    const typed = draft && words();
    if (draft && (JSON.stringify(typed) === kept || !(typed.body_markdown || typed.title))) return true;
    const patience = new AbortController();
    const end = setTimeout(() => patience.abort(), 20000);
    try {
      const answer = await fetch(draft || document.querySelector('[rel=icon]').href, {
        cache: 'no-store',
        signal: patience.signal,
        ...(draft && {
          method: 'PUT',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ version: Number(fields.version.value), ...typed }),
        }),
      });
      if (draft && answer.ok) {
        fields.version.value = (await answer.json()).version;
        kept = JSON.stringify(typed);
        status.textContent = saved;
      }
      return true; // what is refused, the page says when it is sent
    } catch {
      if (!status) {
        status = form.appendChild(document.createElement('p'));
        status.className = 'box';
        status.setAttribute('role', 'alert');
      }
      status.textContent = document.body.dataset.offline;
      return false;
    } finally {
      clearTimeout(end);
    }
  };
  const keep = () => (last = last.then(save));
  if (draft) {
    form.addEventListener('input', () => {
      clearTimeout(pause);
      pause = setTimeout(keep, 5000);
    });
    form.addEventListener('keydown', (event) => {
      const send = form.querySelector('[value=send]');
      if (send && event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send.click();
    });
  }
  form.addEventListener('click', (event) => {
    pressed = event.target.closest('button') || pressed;
  });
  form.addEventListener('submit', async (event) => {
    clearTimeout(pause);
    const button = event.submitter || pressed;
    if (isReady || !button) return;
    event.preventDefault();
    if (form.hasAttribute('aria-busy')) return;
    form.setAttribute('aria-busy', 'true');
    isReady = await keep();
    // Later: while this event is still fired, the browser ignores another.
    if (isReady) setTimeout(() => button.click());
    else form.removeAttribute('aria-busy');
  });
  addEventListener('pageshow', () => {
    isReady = false;
    form.removeAttribute('aria-busy');
  });
}
