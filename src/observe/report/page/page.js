// The timeline: drawn as SVG from the data in the page. Wheel, pinch or drag zooms all charts together.
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const SVG = 'http://www.w3.org/2000/svg';
  const H = 150, TOP = 8, BOTTOM = 20;
  const whole = [data.from, data.to > data.from ? data.to : data.from + 1];
  let view = whole.slice();
  const charts = [];
  const el = (name, attributes, parent, text) => {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    parent.appendChild(node);
    return node;
  };
  const two = n => String(n).padStart(2, '0');
  const clock = (ms, seconds) => {  // the report's own zone: its offset at the beginning
    const t = new Date(ms + data.offset);
    return two(t.getUTCHours()) + ':' + two(t.getUTCMinutes()) + (seconds ? ':' + two(t.getUTCSeconds()) : '');
  };
  const day = ms => new Date(ms + data.offset).toISOString().slice(5, 10);
  const size = (g, v) => g.kind === 'vram' ? (v / 1048576).toFixed(0) + ' MiB'
    : v < 1e9 ? (v / 1e6).toFixed(1) + ' MB' : (v / 1e9).toFixed(2) + ' GB';

  function draw(chart) {
    const {svg, gauge} = chart;
    svg.replaceChildren();
    const W = Math.max(200, svg.clientWidth || 800);
    svg.setAttribute('viewBox', `0 0 ${W} ${H}`);
    const x = t => (t - view[0]) / (view[1] - view[0]) * W;
    const top = Math.max(gauge.top, 1);
    const y = v => TOP + (1 - v / top) * (H - TOP - BOTTOM);
    const colours = {event: 'critical', recovery: 'warning', loading: 'a', 'start-up': 'soft', growing: 'danger', asleep: 'fg'};
    for (const p of data.phases) {
      if (!colours[p.kind] || p.to < view[0] || p.from > view[1]) continue;
      const left = Math.max(0, x(p.from));
      el('rect', {class: 'phase', x: left, y: 0, width: Math.max(1, Math.min(W, x(p.to)) - left), height: H - BOTTOM,
                  fill: `var(--${colours[p.kind]})`}, svg);
      if (Math.min(W, x(p.to)) - left > 70) el('text', {x: left + 4, y: H - BOTTOM - 14}, svg, p.kind);
    }
    for (const zone of ['warning', 'danger', 'critical']) {
      const v = gauge.borders && gauge.borders[zone];
      if (v && v <= top) el('line', {class: 'border', x1: 0, x2: W, y1: y(v), y2: y(v), stroke: `var(--${zone})`}, svg);
    }
    let line = '', band = '', up = '', down = [], pen = false;
    const close = () => { if (up) band += up + down.reverse().join('') + 'Z'; up = ''; down = []; pen = false; };
    for (const [t, low, value, high] of gauge.points) {
      const gap = value === null;
      const px = x(t);
      if (gap || px < -W || px > 2 * W) { close(); continue; }
      line += (pen ? 'L' : 'M') + px.toFixed(1) + ' ' + y(value).toFixed(1);
      { up += (up ? 'L' : 'M') + px.toFixed(1) + ' ' + y(high).toFixed(1); down.push('L' + px.toFixed(1) + ' ' + y(low).toFixed(1)); }
      pen = true;
    }
    close();
    if (band) el('path', {class: 'band', d: band}, svg);
    el('path', {class: 'course', d: line || 'M0 0'}, svg);
    for (const b of data.bursts) {
      if (b.to < view[0] || b.from > view[1]) continue;
      el('line', {class: 'errors', x1: x(b.from), x2: Math.max(x(b.to), x(b.from) + 2), y1: H - BOTTOM - 1, y2: H - BOTTOM - 1}, svg);
      el('path', {fill: 'var(--critical)', d: `M${x(b.from)} ${H - BOTTOM - 2}l-4 -7h8z`}, svg);
    }
    const long = view[1] - view[0] > 2 * 864e5;
    for (let i = 0, n = Math.max(2, Math.floor(W / 110)); i < n; ++i) {
      const t = view[0] + (view[1] - view[0]) * i / (n - 1);
      el('text', {x: x(t), y: H - 5, 'text-anchor': i === 0 ? 'start' : i === n - 1 ? 'end' : 'middle'}, svg,
         long ? day(t) + ' ' + clock(t) : clock(t, view[1] - view[0] < 36e5));
    }
    el('text', {x: 4, y: 18}, svg, size(gauge, top));
    chart.cursor = el('line', {class: 'cursor', x1: -9, x2: -9, y1: 0, y2: H - BOTTOM}, svg);
  }
  const all = () => charts.forEach(draw);
  function zoom(from, to) {
    const least = Math.min(10000, whole[1] - whole[0]);
    if (to - from < least) { const middle = (from + to) / 2; from = middle - least / 2; to = middle + least / 2; }
    const length = Math.min(to - from, whole[1] - whole[0]);
    from = Math.max(whole[0], Math.min(from, whole[1] - length));
    view = [from, from + length];
    all();
    document.documentElement.dataset.view = view.map(Math.round).join(',');
  }
  const at = (svg, clientX) => {
    const box = svg.getBoundingClientRect();
    return view[0] + (clientX - box.left) / box.width * (view[1] - view[0]);
  };
  const around = (t, factor) => zoom(t - (t - view[0]) * factor, t + (view[1] - t) * factor);
  const tip = document.getElementById('tip');
  function hover(svg, event) {
    const t = at(svg, event.clientX);
    let text = day(t) + ' ' + clock(t, true);
    for (const {gauge} of charts) {
      let held = null;
      for (const p of gauge.points) { if (p[0] > t) break; held = p; }
      text += '\n' + gauge.name + ': ' + (held && held[2] !== null ? size(gauge, held[2]) : 'not known');
    }
    const phase = data.phases.find(p => p.from <= t && t < p.to);
    if (phase) text += '\n' + phase.kind;
    const burst = data.bursts.find(b => b.from <= t && t <= b.to);
    if (burst) text += '\n' + burst.count + ' errors';
    tip.textContent = text;
    tip.style.display = 'block';
    tip.style.left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 4) + 'px';
    tip.style.top = Math.max(4, event.clientY - tip.offsetHeight - 12) + 'px';
    for (const chart of charts) {
      const px = (t - view[0]) / (view[1] - view[0]) * Math.max(200, chart.svg.clientWidth || 800);
      chart.cursor.setAttribute('x1', px);
      chart.cursor.setAttribute('x2', px);
    }
  }
  function listen(svg) {
    const fingers = new Map();
    let drag = null;
    svg.addEventListener('wheel', e => { e.preventDefault(); around(at(svg, e.clientX), e.deltaY < 0 ? 0.8 : 1.25); }, {passive: false});
    svg.addEventListener('pointerdown', e => {
      fingers.set(e.pointerId, e.clientX);
      drag = {x: e.clientX, view: view.slice(), two: fingers.size > 1 ? [...fingers.values()] : null};
      svg.setPointerCapture(e.pointerId);
    });
    svg.addEventListener('pointermove', e => {
      hover(svg, e);
      if (!fingers.has(e.pointerId) || !drag) return;
      fingers.set(e.pointerId, e.clientX);
      const width = svg.getBoundingClientRect().width;
      if (fingers.size > 1 && drag.two) {
        const [a, b] = [...fingers.values()];
        const factor = Math.abs(drag.two[0] - drag.two[1]) / Math.max(10, Math.abs(a - b));
        const middle = (drag.view[0] + drag.view[1]) / 2, half = (drag.view[1] - drag.view[0]) / 2 * factor;
        zoom(middle - half, middle + half);
      } else {
        const by = (drag.x - e.clientX) / width * (drag.view[1] - drag.view[0]);
        zoom(drag.view[0] + by, drag.view[1] + by);
      }
    });
    const up = e => { fingers.delete(e.pointerId); if (fingers.size === 0) drag = null; };
    svg.addEventListener('pointerup', up);
    svg.addEventListener('pointercancel', up);
    svg.addEventListener('pointerleave', () => { tip.style.display = 'none'; });
    svg.addEventListener('dblclick', () => zoom(whole[0], whole[1]));
  }
  const host = document.getElementById('charts');
  for (const gauge of data.gauges) {
    const title = document.createElement('h3');
    title.textContent = gauge.name;
    const box = document.createElement('div');
    box.className = 'chart';
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', gauge.name + ' over time');
    box.appendChild(svg);
    host.append(title, box);
    charts.push({svg, gauge});
    listen(svg);
  }
  const on = (id, act) => document.getElementById(id).addEventListener('click', act);
  on('in', () => around((view[0] + view[1]) / 2, 0.5));
  on('out', () => around((view[0] + view[1]) / 2, 2));
  on('all', () => zoom(whole[0], whole[1]));
  on('event', () => {
    const b = data.bursts[0];
    if (b) { const pad = Math.max(60000, b.to - b.from); zoom(b.from - pad, b.to + pad); }
  });
  on('theme', () => {
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    const root = document.documentElement;
    root.dataset.theme = (root.dataset.theme || (dark ? 'dark' : 'light')) === 'dark' ? 'light' : 'dark';
  });
  if (!data.bursts.length) document.getElementById('event').remove();
  addEventListener('resize', all);
  all();
  document.documentElement.dataset.drawn = charts.length;
  if (location.hash === '#event' && data.bursts.length) document.getElementById('event').click();
})();
