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
 viewBox="0 0 700 240"></svg>
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
'use strict'; const D = JSON.parse(document.getElementById('data').textContent), get = id =>
document.getElementById(id); const NS = 'http://www.w3.org/2000/svg', BLUE = '#0072B2', ORANGE = '#D55E00',
GREEN = '#009E73'; const COLOURS = ['#440154', '#482878', '#3e4989', '#31688e', '#26828e', '#1f9e89',
'#35b779', '#6ece58', '#b5de2b', '#fde725']; let i = 4, j = 59, k = 0, timer = null; const add = (parent,
name, attributes, text) => {
  const node = document.createElementNS(NS, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node); return node;
};
const last = a => a[a.length - 1], show = v => (v / 1000).toFixed(3), cell = () => D.cells[i][j];
const X = a => 40 + 6.5 * a, Y = b => 200 - 19 * b;
function drawMap() {
  const map = get('map');
  D.Ns.forEach((N, b) => { D.mus.forEach((mu, a) => {
    const loss = last(D.cells[b][a].test), colour = COLOURS[Math.min(9, Math.floor(loss / 80))];
    const box = add(map, 'rect', {x: X(a), y: Y(b), width: 6.6, height: 19.1, fill: colour});
    box.addEventListener('click', () => choose(b, a, true));
    if (loss > D.level && a + 1 < D.mus.length && last(D.cells[b][a + 1].test) <= D.level)
      add(map, 'rect', {x: X(a + 1) - 1, y: Y(b), width: 2, height: 19, fill: '#fff', 'pointer-events':
      'none'});
  }); add(map, 'text', {x: 34, y: Y(b) + 13, 'text-anchor': 'end'}, N); }); for (let a = 9; a < D.mus.length;
  a += 10) add(map, 'text', {x: X(a), y: 232, 'text-anchor': 'middle'}, D.snr[a].toFixed(1)); add(map, 'text',
  {x: 4, y: 14}, 'N'); add(map, 'text', {x: 696, y: 216, 'text-anchor': 'end'}, 'SNR; white: test loss 0.2');
  add(map, 'rect', {id: 'mark', width: 6.6, height: 19.1, fill: 'none', stroke: '#d62728', 'stroke-width':
  2.5, 'pointer-events': 'none'});
}
function chart(id, lines, low, high) {
  const svg = get(id), c = cell(), end = last(c.step) || 1;
  svg.replaceChildren();
  const x = s => 34 + 276 * s / end, y = v => 168 - 156 * (v - low) / ((high - low) || 1);
  const begins = c.phases.filter(p => p !== null), marks = [0, ...begins, end];
  marks.slice(0, -1).forEach((from, n) => {
    add(svg, 'rect', {x: x(from), y: 12, width: Math.max(0, x(marks[n + 1]) - x(from)), height: 156, fill:
    'gray', opacity: [0, .22, .1][n]}); add(svg, 'text', {x: (x(from) + x(marks[n + 1])) / 2, y: 10,
    'text-anchor': 'middle'}, ['I', 'II', 'III'][n]);
  });
  for (const [v, colour, dash] of lines)
    add(svg, 'polyline', {points: c.step.map((s, n) => x(s) + ',' + y(v[n])).join(' '), fill: 'none', stroke:
    colour, 'stroke-width': 2, 'stroke-dasharray': dash});
  add(svg, 'line', {x1: x(c.step[k]), x2: x(c.step[k]), y1: 12, y2: 168, stroke: 'currentColor', opacity:
  .6}); for (const v of [low, high]) add(svg, 'text', {x: 30, y: y(v) + 4, 'text-anchor': 'end'}, (v /
  1000).toFixed(1)); add(svg, 'text', {x: 34, y: 184}, '0'); add(svg, 'text', {x: 310, y: 184, 'text-anchor':
  'end'}, 'step ' + end);
}
function drawStep() {
  const c = cell(); get('step').value = k; get('at').textContent = c.step[k]; get('train').textContent =
  show(c.train[k]); get('test').textContent = show(c.test[k]); for (let n = 0; n < 6; n++) get('S' +
  n).textContent = show(c.S[n][k]); for (let n = 0; n < 3; n++) get('V' + n).textContent = show(c.V[n][k]);
  chart('losses', [[c.train, BLUE, ''], [c.test, ORANGE, '5 3']], 0, Math.max(...c.train, ...c.test));
  chart('attention', [[c.S[0], BLUE, ''], [c.S[1], ORANGE, ''], [c.S[2], BLUE, '5 3'], [c.S[3], ORANGE, '5
  3']], 0, 1000); const all = c.V.flat(); chart('values', [[c.V[0], BLUE, ''], [c.V[1], ORANGE, '5 3'],
  [c.V[2], GREEN, '2 2']], Math.min(0, ...all), Math.max(...all));
}
function words() {
  const c = cell(), benign = last(c.test) <= D.level, [leaves, settles] = c.phases;
  const phase = leaves === null ? 'attention stays near 1/M' : 'attention leaves 1/M at step ' + leaves +
    (settles === null ? ' and has not settled at the end' : ' and has settled at step ' + settles);
  return 'N = ' + D.Ns[i] + ', SNR = ' + D.snr[j].toFixed(2) + ' (‖μ‖ = ' + D.mus[j] + '): ' + (benign ?
  'benign' : 'harmful') + ' overfitting. ' +
    'Training loss ' + show(last(c.train)) + ' after ' + last(c.step) + ' steps' + (c.done ? '' : ' (not
    converged)') + ', test loss ' + show(last(c.test)) + '; ' + phase + '.';
}
function choose(b, a, tell) {
  stop(); i = b; j = a; k = cell().step.length - 1; get('step').max = k; get('words').textContent = words();
  const mark = get('mark'); mark.setAttribute('x', X(j)); mark.setAttribute('y', Y(i)); const cross =
  D.crossings[D.Ns[i]]; for (const name of ['limit', 'authors', 'ours']) get(name).textContent = cross[name];
  if (tell) { get('notice').textContent = ''; history.replaceState(null, '', '#N=' + D.Ns[i] + '&snr=' +
  D.snr[j]); } drawStep();
} const nearest = (list, v) => list.reduce((best, x, n) => Math.abs(x - v) < Math.abs(list[best] - v) ? n :
best, 0); function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1)), N = parseFloat(asked.get('N')), snr =
  parseFloat(asked.get('snr')); if (Number.isFinite(N) && Number.isFinite(snr)) { get('notice').textContent =
  ''; choose(nearest(D.Ns, N), nearest(D.snr, snr), false); return; } get('notice').textContent =
  location.hash.length > 1 ? 'The address names no cell; it should end like #N=10&snr=9.4.' : ''; choose(i, j,
  false);
}
function stop() { clearInterval(timer); timer = null; get('play').textContent = 'Play'; }
get('play').addEventListener('click', () => {
  if (timer) { stop(); return; }
  if (k === cell().step.length - 1) k = 0;
  get('play').textContent = 'Pause';
  timer = setInterval(() => { if (k + 1 >= cell().step.length) stop(); else { k += 1; drawStep(); } }, 180);
});
get('step').addEventListener('input', event => { stop(); k = Number(event.target.value); drawStep(); });
get('map').addEventListener('keydown', event => {
  const move = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0]}[event.key]; if
  (!move) return; event.preventDefault(); choose(Math.min(D.Ns.length - 1, Math.max(0, i + move[0])),
  Math.min(D.mus.length - 1, Math.max(0, j + move[1])), true);
});
window.addEventListener('hashchange', fromAddress);
drawMap(); fromAddress();
"""
