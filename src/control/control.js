// Shows what to tell encoders, and what is on air. The token comes in the link's fragment, which is never sent.
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...children) => {
    const it = Object.assign(document.createElement(tag), attributes);
    it.append(...children);
    return it;
  };
  if (location.hash.length > 1) {
    sessionStorage.setItem('token', location.hash.slice(1));
    history.replaceState(null, '', location.pathname);
  }
  const token = () => sessionStorage.getItem('token') || '';

  async function call(path, method = 'GET') {
    const response = await fetch(`/api/${path}`, { method, headers: { Authorization: `Bearer ${token()}` } });
    if (response.status === 401) throw Object.assign(new Error('token'), { login: true });
    return response.json();
  }

  const bits = (rate) => (rate >= 1e6 ? `${(rate / 1e6).toFixed(1)} Mbit/s` : `${Math.round(rate / 1000)} kbit/s`);
  const ago = (unix) => {
    const seconds = Math.max(0, Math.round(Date.now() / 1000 - unix));
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    return parts.map((it) => String(it).padStart(2, '0')).join(':');
  };

  const copyRow = (label, text) => {
    const button = make('button', { type: 'button', textContent: 'Copy' });
    button.setAttribute('aria-label', `Copy ${label}`);
    button.onclick = async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    };
    return make('div', { className: 'row' }, make('span', { textContent: label }), make('code', { textContent: text }), button);
  };

  function showApps(apps) {
    $('ingest').hidden = false;
    $('apps').replaceChildren(...apps.map((app) => {
      const card = make('div', { className: 'card' }, copyRow('Server', app.server));
      for (const { key, name } of app.keys) card.append(copyRow(`Key of ${name}`, key));
      if (app.publish === 'open') card.append(make('p', { className: 'hint', textContent: 'Open: any stream key will do, and it is the public name.' }));
      if (app.publish === 'webhook') card.append(make('p', { className: 'hint', textContent: 'Keys are judged by your webhook.' }));
      return card;
    }));
  }

  const fact = (term, text) => make('div', {}, make('dt', { textContent: term }), make('dd', { textContent: text }));

  function broadcastCard(it) {
    const head = make('div', { className: 'head' },
      make('h3', { textContent: it.name }),
      make('span', { className: it.on_air ? 'badge on' : 'badge', textContent: it.on_air ? 'live' : 'waiting for its encoder' }));
    if (it.watch) head.append(make('a', { className: 'button', href: it.watch, target: '_blank', rel: 'noreferrer', textContent: 'Watch' }));
    const list = make('dl');
    for (const track of it.tracks) {
      const shape = track.kind === 'video'
        ? `${track.width}×${track.height}${track.frame_rate ? `, ${track.frame_rate.toFixed(2)} fps` : ''}`
        : `${(track.sample_rate / 1000).toFixed(1)} kHz, ${track.channels} ch`;
      list.append(fact(track.kind === 'video' ? 'Video' : 'Audio', `${track.codec}, ${shape}`), fact(`${track.kind === 'video' ? 'Video' : 'Audio'} rate`, bits(track.bit_rate)));
    }
    if (it.key_frame_interval_seconds) list.append(fact('Key frame every', `${it.key_frame_interval_seconds.toFixed(2)} s`));
    if (it.publisher) list.append(fact('Publisher', it.publisher.address), fact('Encoder', it.publisher.encoder || 'unnamed'), fact('On air', ago(it.publisher.since)));
    list.append(fact('Viewers', String(it.viewers)), fact('Discontinuities', String(it.discontinuities)));
    const card = make('div', { className: 'card' }, head, list);
    for (const warning of it.warnings) card.append(make('p', { className: 'warning', textContent: warning }));
    return card;
  }

  async function show() {
    try {
      const broadcasts = await call('broadcasts');
      $('login').hidden = true;
      $('live').hidden = false;
      $('reload').hidden = false;
      $('state').textContent = broadcasts.length === 1 ? 'One broadcast' : `${broadcasts.length} broadcasts`;
      $('broadcasts').replaceChildren(...(broadcasts.length ? broadcasts.map(broadcastCard)
        : [make('p', { className: 'hint', textContent: 'Nothing yet. Start your encoder with the server and a key from above.' })]));
      if ($('ingest').hidden) showApps(await call('ingest'));
    } catch (error) {
      if (error.login) {
        for (const id of ['ingest', 'live', 'reload']) $(id).hidden = true;
        $('login').hidden = false;
        $('state').textContent = token() ? 'That token is not right.' : '';
        return;
      }
      $('state').textContent = 'Levada does not answer.';
    }
    setTimeout(show, 2000);
  }

  $('login').onsubmit = (event) => {
    event.preventDefault();
    sessionStorage.setItem('token', $('token').value.trim());
    show();
  };
  $('reload').onclick = async () => {
    $('said').hidden = false;
    try {
      $('said').textContent = (await call('reload', 'POST')).message;
    } catch {
      $('said').textContent = 'Levada does not answer.';
    }
    $('ingest').hidden = true;
  };
  show();
})();
