// What a page cannot do without a script: read the ticket from the fragment, which never reaches a
// server, and count down.
'use strict';

const ticket = document.querySelector('input[name=ticket][type=hidden]');
if (ticket) {
  const fragment = location.hash.slice(1);
  if (fragment) {
    sessionStorage.setItem('ticket', fragment);
    history.replaceState(null, '', location.pathname + location.search);
  }
  if (!ticket.value) ticket.value = sessionStorage.getItem('ticket') || '';
  // A second link that is opened in the same tab changes only the fragment.
  addEventListener('hashchange', () => location.reload());
  const missing = document.getElementById('no-ticket');
  if (missing) missing.hidden = ticket.value !== '';
}

// Whoever may allow: the time is not over, and the self-test has run.
let over = false;
const gate = () => {
  const section = document.getElementById('self-test');
  const shut = over || (section && section.dataset.auto === 'yes');
  for (const id of ['allow', 'continue']) {
    const element = document.getElementById(id);
    if (element) element.disabled = shut;
  }
};

const clock = document.getElementById('remaining');
if (clock) {
  // The ticket is the server's now, and serves once.
  sessionStorage.removeItem('ticket');
  const end = performance.now() + Number(clock.dataset.seconds) * 1000;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    clock.textContent = Math.floor(left / 60) + ':' + String(left % 60).padStart(2, '0');
    if (left > 0) return;
    clearInterval(timer);
    over = true;
    gate();
    document.getElementById('expired').hidden = false;
  };
  const timer = setInterval(tick, 500);
  tick();
}

const section = document.getElementById('self-test');
if (section) {
  const steps = document.getElementById('test-steps');
  const result = document.getElementById('test-result');
  const broken = document.getElementById('test-broken');
  const button = document.getElementById('run-test');
  const rows = [...steps.querySelectorAll('dd')];
  const fill = (row, step) => {
    const [chip, text] = row.children;
    chip.className = 'chip ' + (step.Class || 'quiet');
    chip.textContent = step.Word;
    text.textContent = step.Sentence || '';
  };
  // Each step comes in a line of its own as soon as it is known, and all of them in the last.
  const follow = async (answer) => {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    let told = 0;
    for (;;) {
      const { value, done } = await reader.read();
      text += value || '';
      const lines = text.split('\n');
      text = lines.pop();
      for (const line of lines) {
        const said = JSON.parse(line);
        if (said.Steps) return said;
        if (told < rows.length) fill(rows[told++], said);
      }
      if (done) throw new Error('cut off');
    }
  };
  const run = async () => {
    button.disabled = true;
    broken.hidden = true;
    result.hidden = true;
    section.dataset.state = 'running';
    rows.forEach((row) => fill(row, { Word: steps.dataset.running }));
    try {
      const form = button.form.elements.namedItem('form').value;
      const answer = await fetch('/register/test', {
        method: 'POST', redirect: 'error', headers: { Accept: 'application/x-ndjson' },
        body: new URLSearchParams({ form }),
      });
      if (!answer.ok) throw new Error(String(answer.status));
      const test = await follow(answer);
      rows.forEach((row, i) => fill(row, test.Steps[i]));
      section.dataset.state = 'done';
      result.className = 'note ' + (test.Passed ? 'good' : 'bad');
      result.textContent = test.Passed ? result.dataset.good : result.dataset.bad;
      result.hidden = false;
      section.dataset.auto = 'no';
    } catch {
      section.dataset.state = 'broken';
      broken.hidden = false;
    }
    button.disabled = false;
    gate();
  };
  button.addEventListener('click', (event) => {
    event.preventDefault();
    run();
  });
  gate();
  if (section.dataset.auto === 'yes') run();
}
