"""The parts of explore.html that are no Python: its body, its style, its script. The script only draws
numbers.
"""

STYLE = """
#map { width: 100%; height: auto; display: block; touch-action: manipulation; cursor: crosshair; }
#map:focus, button:focus, input:focus { outline: 3px solid #0072B2; outline-offset: 2px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 1rem; }
.charts svg { width: 100%; height: auto; background: var(--soft); }
.charts text, #map text { font: 11px sans-serif; fill: currentColor; }
.controls { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: center; margin: .8rem 0; }
.controls input { flex: 1 1 10rem; min-width: 8rem; }
table.rows td, table.rows th { padding: .15rem .7rem .15rem 0; text-align: right; }
table.rows th:first-child, table.rows td:first-child { text-align: left; }
#words { font-size: 1.05rem; }
"""

BODY = """
<h1>The phase diagram of the limit, to be played with</h1> <p>Each cell is one run of gradient descent in the
limit of large d and widths, at the scales of the published experiment behind the paper's Figure 1 (read in
the authors' public program), one step further than the stopping loss, as there. The colour is the test loss:
dark is low. Choose a cell with the mouse, a finger, or the arrow keys; the address of this page then names
it. Every number was computed beforehand; nothing is loaded from anywhere.</p> <svg id="map" tabindex="0"
role="application" aria-label="Test loss over SNR and N. Arrow keys choose a cell."
 viewBox="0 0 700 330"></svg>
<p id="notice" role="status"></p> <p id="words" role="status" aria-live="polite"></p> <div
class="controls"><button id="play" type="button">Play</button> <label for="step">Step <output
id="at">0</output></label> <input id="step" type="range" min="0" max="1" value="0"></div> <table
class="rows"><caption>Attention at this step, by row</caption> <thead><tr><th>row of</th><th>on the signal
MU_</th><th>on XI_2</th></tr></thead> <tbody><tr><td>the signal MU_</td><td id="S0"></td><td
id="S1"></td></tr> <tr><td>XI_2</td><td id="S2"></td><td id="S3"></td></tr> <tr><td>a small token</td><td
id="S4"></td><td id="S5"></td></tr></tbody></table> <p>Training loss <b id="train"></b>, test loss <b
id="test"></b>; values: of the signal <b id="V0"></b>, of XI_2 <b id="V1"></b>, of a small token <b
id="V2"></b>.</p> <div class="charts"><figure><svg id="losses" viewBox="0 0 320 190" role="img"
aria-label="Losses over steps"></svg> <figcaption>Losses: solid training, dashed test.</figcaption></figure>
<figure><svg id="attention" viewBox="0 0 320 190" role="img" aria-label="Attention over steps"></svg>
<figcaption>Attention: blue on the signal, orange on XI_2; solid the signal's row, dashed the row of
XI_2.</figcaption></figure> <figure><svg id="values" viewBox="0 0 320 190" role="img" aria-label="Values over
steps"></svg> <figcaption>Values: blue of the signal, orange of XI_2, green of a small
token.</figcaption></figure></div> <h2>Where the test loss crosses 0.2, as N_SNR2</h2> <table
class="rows"><thead><tr><th>at this N</th><th>N_SNR2</th></tr></thead><tbody> <tr><td>the limit, nothing
fitted</td><td id="limit"></td></tr> <tr><td>the authors' ten rows of data, mean ± standard error</td><td
id="authors"></td></tr> <tr><td>real draws here, by their protocol</td><td
id="ours"></td></tr></tbody></table>
"""

SCRIPT = """
'use strict';
const D = JSON.parse(document.getElementById('data').textContent);
const get = id => document.getElementById(id), last = a => a[a.length - 1];
const SVG = 'http://www.w3.org/2000/svg', BLUE = '#0072B2', ORANGE = '#D55E00', GREEN = '#009E73';
let i = 4, j = Math.min(59, D.mus.length - 1), k = 0, timer = null;
const cell = () => D.cells[i][j];
const add = (parent, name, attributes, text) => {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
};
const X = a => 40 + 6.5 * a, Y = b => 266 - 28 * b;  // where a cell stands on the map
function drawMap() {
  const map = get('map'), still = {'pointer-events': 'none'};
  D.Ns.forEach((N, b) => {
    D.mus.forEach((mu, a) => add(map, 'rect',
      {x: X(a), y: Y(b), width: 6.6, height: 28.1, fill: D.cells[b][a].colour, 'data-cell': b + ' ' + a}));
    if (D.edge[b] !== null)
      add(map, 'rect', {x: X(D.edge[b]) - 1, y: Y(b), width: 2, height: 28, fill: '#fff', ...still});
    add(map, 'text', {x: 34, y: Y(b) + 18, 'text-anchor': 'end'}, N);
  });
  for (let a = 9; a < D.mus.length; a += 10)
    add(map, 'text', {x: X(a), y: 308, 'text-anchor': 'middle'}, D.snr[a].toFixed(1));
  add(map, 'text', {x: 4, y: 14}, 'N');
  add(map, 'text', {x: 696, y: 324, 'text-anchor': 'end'}, 'SNR');
  add(map, 'rect', {id: 'mark', width: 6.6, height: 28.1, fill: 'none', stroke: '#f0f', 'stroke-width': 2.5,
    ...still});
  map.addEventListener('click', event => {
    const place = event.target.dataset.cell;
    if (place) choose(...place.split(' ').map(Number), true);
  });
}
function chart(id, lines, low, high) {
  const svg = get(id), c = cell(), end = last(c.step) || 1;
  svg.replaceChildren();
  const x = s => 40 + 270 * s / end, y = v => 168 - 156 * (v - low) / ((high - low) || 1);
  const marks = [0, ...c.phases.filter(p => p !== null), end];
  marks.slice(0, -1).forEach((from, n) => {
    const width = Math.max(0, x(marks[n + 1]) - x(from));
    add(svg, 'rect', {x: x(from), y: 12, width: width, height: 156, fill: 'gray', opacity: [0, .22, .1][n]});
    add(svg, 'text', {x: x(from) + width / 2, y: 10, 'text-anchor': 'middle'}, ['I', 'II', 'III'][n]);
  });
  for (const [values, colour, dash] of lines) {
    const points = c.step.map((s, n) => x(s) + ',' + y(values[n])).join(' ');
    const look = {fill: 'none', stroke: colour, 'stroke-width': 2, 'stroke-dasharray': dash};
    add(svg, 'polyline', {points: points, ...look});
  }
  const now = x(c.step[k]);
  add(svg, 'line', {x1: now, x2: now, y1: 12, y2: 168, stroke: 'currentColor', opacity: .6});
  for (const v of [low, high]) add(svg, 'text', {x: 36, y: y(v) + 4, 'text-anchor': 'end'}, v);
  add(svg, 'text', {x: 40, y: 184}, '0');
  add(svg, 'text', {x: 310, y: 184, 'text-anchor': 'end'}, 'step ' + end);
}
function drawStep() {
  const c = cell(), [ss, s2, ts, tt] = c.S, [Vs, V2, Vi] = c.V, values = c.V.flat();
  get('step').value = k;
  get('at').textContent = c.step[k];
  get('train').textContent = c.train[k];
  get('test').textContent = c.test[k];
  c.S.forEach((row, n) => { get('S' + n).textContent = row[k]; });
  c.V.forEach((row, n) => { get('V' + n).textContent = row[k]; });
  chart('losses', [[c.train, BLUE, ''], [c.test, ORANGE, '5 3']], 0, Math.max(...c.train, ...c.test));
  chart('attention', [[ss, BLUE, ''], [s2, ORANGE, ''], [ts, BLUE, '5 3'], [tt, ORANGE, '5 3']], 0, 1);
  const low = Math.min(...values), high = Math.max(...values);
  chart('values', [[Vs, BLUE, ''], [V2, ORANGE, '5 3'], [Vi, GREEN, '2 2']], low, high);
}
function choose(b, a, tell) {
  stop();
  i = b; j = a; k = cell().step.length - 1;
  get('step').max = k;
  get('words').textContent = cell().words;
  get('mark').setAttribute('x', X(j));
  get('mark').setAttribute('y', Y(i));
  for (const name of ['limit', 'authors', 'ours']) get(name).textContent = D.crossings[D.Ns[i]][name];
  if (tell) {
    get('notice').textContent = '';
    window.history.replaceState(null, '', '#N=' + D.Ns[i] + '&snr=' + D.snr[j]);
  }
  drawStep();
}
const nearest = (list, v) =>
  list.reduce((best, x, n) => Math.abs(x - v) < Math.abs(list[best] - v) ? n : best, 0);
function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const N = Number(asked.get('N')), snr = Number(asked.get('snr'));
  const named = asked.get('N') && asked.get('snr') && Number.isFinite(N) && Number.isFinite(snr);
  get('notice').textContent = named || location.hash.length < 2 ? '' :
    'The address names no cell; it should end like #N=10&snr=9.4.';
  if (named) choose(nearest(D.Ns, N), nearest(D.snr, snr), false);
  else choose(i, j, false);
}
function stop() {
  clearInterval(timer);
  timer = null;
  get('play').textContent = 'Play';
}
get('play').addEventListener('click', () => {
  if (timer) { stop(); return; }
  if (k === cell().step.length - 1) k = 0;
  get('play').textContent = 'Pause';
  timer = setInterval(() => { if (k + 1 < cell().step.length) { k += 1; drawStep(); } else stop(); }, 180);
});
get('step').addEventListener('input', event => { stop(); k = Number(event.target.value); drawStep(); });
get('map').addEventListener('keydown', event => {
  const move = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0]}[event.key];
  if (!move) return;
  event.preventDefault();
  const inside = (v, list) => Math.min(list.length - 1, Math.max(0, v));
  choose(inside(i + move[0], D.Ns), inside(j + move[1], D.mus), true);
});
window.addEventListener('hashchange', fromAddress);
drawMap();
fromAddress();
"""
