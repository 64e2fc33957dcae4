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
    document.getElementById('continue').disabled = true;
    document.getElementById('allow').disabled = true;
    document.getElementById('expired').hidden = false;
  };
  const timer = setInterval(tick, 500);
  tick();
}
