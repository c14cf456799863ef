"""Styles and JavaScript of the page: charts, tables that can be searched, links between them."""

STYLE = """
header p{margin:.2rem 0}
.pair{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr))}
.pair>*{min-width:0}
figure{margin:0}
figcaption{color:var(--faint);margin-top:.3rem}
.chart{height:26rem;overflow:hidden}
.wide{overflow:auto;max-height:70vh;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.87rem;width:100%}
th,td{padding:.16rem .55rem;text-align:left;white-space:nowrap}
td.prose{white-space:normal}
th{border-bottom:1px solid var(--line);vertical-align:bottom}
.wide th{position:sticky;top:0;background:var(--paper)}
.r{text-align:right}
tbody tr:nth-child(even){background:var(--stripe)}
tbody tr:target,tbody tr.found{outline:2px solid var(--accent)}
.mono{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.82rem}
.facts td:first-child,.facts th{color:var(--faint);font-weight:normal;width:9rem;
 vertical-align:top}
.facts td{white-space:normal}
.facts tr:nth-child(even){background:none}
.tools{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.4rem 0}
.tools details{position:relative}
.tools details div{position:absolute;z-index:3;background:var(--paper);padding:.4rem;
 border:1px solid var(--line);border-radius:6px}
.tools details label{display:block;white-space:nowrap}
th button{border:0;background:none;padding:0;font-weight:bold;cursor:pointer}
th[aria-sort=ascending] button::after{content:" ▲"}
th[aria-sort=descending] button::after{content:" ▼"}
.warning{color:#b45309}
nav.contents{display:flex;flex-wrap:wrap;gap:.2rem 1rem}
html:not(.js) .needs-js{display:none}
@media print{.wide{max-height:none;overflow:visible}.tools,nav.contents{display:none}}
"""

CHARTS = """
document.documentElement.classList.add('js');
{
  const data = JSON.parse(document.getElementById('charts').textContent);
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const looks = () => ({
    paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    font: {color: css('--ink'), size: 12}, margin: {l: 70, r: 10, t: 10, b: 50},
    legend: {orientation: 'h', y: 1.12},
  });
  const axis = given => ({
    ...given, gridcolor: css('--line'), zerolinecolor: css('--line'), automargin: true,
  });
  const config = {displayModeBar: false, responsive: true};
  const draw = () => {
    for (const [id, chart] of Object.entries(data)) {
      const div = document.getElementById(id);
      if (chart.kind === 'icicle') {
        const select = document.querySelector('select[data-chart="' + id + '"]');
        const values = chart.values[select.value];
        Plotly.react(div, [{
          type: 'icicle', ids: chart.ids, labels: chart.labels, parents: chart.parents,
          values, branchvalues: 'total', customdata: chart.hover, maxdepth: 4,
          level: chart.level, sort: false, textinfo: 'label+percent root',
          hovertemplate: '%{customdata}<extra></extra>', tiling: {orientation: 'v'},
          marker: {colors: values, colorscale: [[0, '#fff7ec'], [1, '#f79a53']], cmin: 0,
                   line: {color: css('--line'), width: 1}},
          textfont: {color: '#1f2937'}, pathbar: {textfont: {color: '#1f2937'}},
        }], {...looks(), margin: {l: 0, r: 0, t: 24, b: 0}}, config);
      } else {
        Plotly.react(div, chart.traces,
          {...looks(), xaxis: axis(chart.x), yaxis: axis(chart.y), hovermode: 'closest'}, config);
      }
    }
  };
  draw();
  for (const select of document.querySelectorAll('select[data-chart]')) select.onchange = draw;
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  document.addEventListener('click', event => {
    const link = event.target.closest('a[data-module]');
    if (!link) return;
    const chart = data[link.dataset.chart];
    chart.level = link.dataset.module;
    draw();
  });
}
"""

TABLES = """
for (const box of document.querySelectorAll('.layer-table')) {
  const table = box.querySelector('table'), body = table.tBodies[0];
  const rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const search = box.querySelector('input[type=search]'), level = box.querySelector('.level');
  const said = box.querySelector('[role=status]');
  const filter = () => {
    const wanted = search.value.toLowerCase();
    const deepest = level.value === '' ? Infinity : Number(level.value);
    let shown = 0;
    for (const row of rows) {
      const fits = row.textContent.toLowerCase().includes(wanted) &&
        (wanted !== '' || Number(row.dataset.level) <= deepest);
      row.hidden = !fits;
      shown += fits;
    }
    said.textContent = shown + ' of ' + rows.length + ' layers';
  };
  search.oninput = level.onchange = filter;
  filter();
  heads.forEach((head, column) => {
    head.querySelector('button').onclick = () => {
      const down = head.getAttribute('aria-sort') === 'descending';
      const isNumber = head.classList.contains('r');
      const order = head.getAttribute('aria-sort') === null ? (isNumber ? -1 : 1) : down ? 1 : 0;
      for (const other of heads) other.removeAttribute('aria-sort');
      const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const sorted = [...rows];
      if (order) {
        head.setAttribute('aria-sort', order < 0 ? 'descending' : 'ascending');
        sorted.sort((a, b) => order * (isNumber ? value(a) - value(b)
          : value(a).localeCompare(value(b), 'en', {numeric: true})));
      }
      body.append(...sorted);
    };
  });
  box.querySelectorAll('.columns input').forEach(check => {
    check.onchange = () => {
      for (const row of [table.tHead.rows[0], ...rows])
        row.cells[Number(check.value)].hidden = !check.checked;
    };
  });
  const quoted = text => {
    const safe = /^[=+@-]/.test(text) && isNaN(text) ? "'" + text : text;
    return /[",\\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
  };
  box.querySelector('.copy').onclick = async () => {
    const open = heads.map((head, i) => i).filter(i => !heads[i].hidden);
    const lines = [open.map(i => quoted(heads[i].textContent)).join(',')];
    for (const row of body.rows) {
      if (!row.hidden) lines.push(open.map(i =>
        quoted(row.cells[i].dataset.value ?? row.cells[i].textContent)).join(','));
    }
    const text = lines.join('\\n') + '\\n';
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement('textarea');
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
    box.dataset.copied = text;
    said.textContent = 'copied ' + (lines.length - 1) + ' rows as CSV';
  };
}
document.addEventListener('click', event => {
  const link = event.target.closest('a[data-node]');
  if (!link) return;
  for (const old of document.querySelectorAll('.found')) old.classList.remove('found');
  const section = document.getElementById(link.hash.slice(1));
  const node = section && [...section.querySelectorAll('g.node')]
    .find(g => g.dataset.path === link.dataset.node);
  if (node) {
    node.classList.add('found');
    setTimeout(() => node.scrollIntoView({block: 'center'}), 50);
  }
});
"""
