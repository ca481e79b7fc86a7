// Charts with one cursor, and the keys that turn pages. Everything else is links and forms.
"use strict";
const holder = document.getElementById("curves");
const told = holder && JSON.parse(holder.textContent);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const short = (value) => (Math.abs(value) >= 10 ? Math.round(value).toLocaleString("en") : value.toFixed(3));
const whole = [...Array(28).keys()].map((n) => [1, 2, 5][n % 3] * 10 ** Math.floor(n / 3));
let plots = [];
function series(each) {
  const ink = colour(each.colour);
  const form = {
    line: { stroke: ink, width: 2 },
    dash: { stroke: ink, width: 1.5, dash: [6, 5] },
    points: { stroke: ink, width: 0, paths: () => null, points: { show: true, size: told.x.length > 100 ? 4 : 7, fill: ink } },
    edge: { stroke: "transparent", width: 0, points: { show: false } },
  }[each.form];
  return { scale: each.share ? "share" : "chars", spanGaps: true, points: { show: told.x.length === 1, size: 9, fill: ink }, ...form };
}
function rules(plot) {
  const { ctx, bbox } = plot, dash = 3 * devicePixelRatio;
  ctx.save();
  Object.assign(ctx, { strokeStyle: colour("ink"), lineWidth: dash / 2 });
  ctx.setLineDash([dash, dash]);
  for (const x of told.rules) ctx.stroke(new Path2D(`M${Math.round(plot.valToPos(x, "x", true))} ${bbox.top}v${bbox.height}`));
  ctx.restore();
}
function axis(scale, label, right) {
  const line = { stroke: colour("line"), width: 1 };
  const named = label ? { label, labelSize: 18, labelGap: 2, labelFont: "12px system-ui" } : {};
  return { ...named, scale, side: right ? 1 : 3, size: right ? 44 : 48, stroke: colour("soft"), grid: right ? { show: false } : line,
    ticks: { show: false }, space: 36, font: "12px system-ui", values: (_, all) => all.map((v) => v.toLocaleString("en")) };
}
function draw(lines, place) {
  const box = document.querySelector(`[data-plot="${place}"]`);
  const outputs = [...document.querySelectorAll(`[data-chart="${place}"]`)];
  const chars = lines.some((each) => !each.share), share = lines.some((each) => each.share);
  const [across, left, right] = told.axes[place];
  const edges = lines.flatMap((each, at) => (each.form === "edge" ? [at + 1] : []));
  const top = Math.max(...lines.filter((each) => each.share).flatMap((each) => each.values)), full = top > 0.5;
  const say = (plot) => outputs.forEach((output) => {
    const at = plot.cursor.idx, line = lines[output.dataset.series];
    const value = at == null ? null : line ? line.values[at] : told.x[at];
    output.textContent = value == null ? "" : line ? short(value) : value.toLocaleString("en");
  });
  const plot = new uPlot({
    width: box.clientWidth, height: 174, legend: { show: false },
    cursor: { sync: { key: "run" }, y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: false, ...(told.x.length === 1 ? { range: [told.x[0] - 1, told.x[0] + 1] } : {}) }, chars: { range: (_, low, high) => [0, Math.max(8, high * 1.08)] },
      share: { range: (_, low, high) => [Math.min(0, low), full ? Math.max(1, high) : Math.max(0.05, high * 1.15)] } },
    axes: [{ ...axis("x", across), side: 2, incrs: whole, size: 26, space: 70 }, ...(chars ? [axis("chars", left)] : []),
      ...(share ? [axis("share", chars ? right : left, chars)] : []),
      ...(chars && share ? [] : [{ ...axis(share ? "share" : "chars", " ", true), values: () => [] }])],
    series: [{}, ...lines.map(series)],
    bands: edges.length ? [{ series: [edges[1], edges[0]], fill: colour("accent-soft") }] : [],
    hooks: { draw: [rules], setCursor: [say] },
  }, [told.x, ...lines.map((each) => each.values)], box);
  plot.over.addEventListener("click", () => {
    if (plot.cursor.idx != null) location.href = told.link + told.buckets[plot.cursor.idx];
  });
  return plot;
}

const drawAll = () => {
  plots.forEach((plot) => plot.destroy());
  plots = told.charts.map(draw);
};
if (told && window.uPlot) {
  drawAll();
  addEventListener("resize", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  for (const [when, on] of [["beforeprint", true], ["afterprint", false]]) addEventListener(when, () => {
    document.documentElement.toggleAttribute("data-print", on); // paper is light
    drawAll();
  });
}
addEventListener("keydown", (event) => {
  const rel = { ArrowLeft: "prev", ArrowRight: "next", Escape: "up" }[event.key];
  const busy = event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea");
  if (rel && !busy) document.querySelector(`a[rel="${rel}"]`)?.click();
});
