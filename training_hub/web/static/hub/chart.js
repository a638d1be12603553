// Lines over days or steps from figures that stand in the page. <div class="chart" data-chart="ID of the JSON">

import uPlot from "../vendor/uplot/uPlot.esm.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const drawn = new Map();

export function mountCharts(root) {
  for (const [element, chart] of drawn) {
    if (!element.isConnected) { chart.destroy(); drawn.delete(element); }
  }
  for (const element of root.querySelectorAll(".chart[data-chart]")) {
    if (drawn.has(element)) continue;
    const source = document.getElementById(element.dataset.chart);
    if (source) drawn.set(element, lines(element, JSON.parse(source.textContent)));
  }
}

// figures: {time: bool, x: [...], x_name, series: [{name, values, digits, area}], range: [low, high] | null}
export function lines(element, figures) {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "12px system-ui" };
  const width = () => Math.max(200, element.clientWidth);
  const height = () => element.classList.contains("low") ? 150 : 230;
  const series = figures.series.map((one, place) => {
    const stroke = colour(one.colour ?? `--series-${place % 6 + 1}`);
    const digits = one.digits ?? 3;
    return {
      label: one.name, stroke, width: 1.6, spanGaps: false, points: { show: figures.x.length < 3, size: 5 },
      fill: one.area ? `${stroke}22` : undefined,
      value: (_, value) => value == null ? "–" : value.toFixed(digits),
    };
  });
  const chart = new uPlot({
    width: width(), height: height(),
    scales: { x: { time: figures.time }, y: figures.range ? { range: figures.range } : {} },
    series: [{ label: figures.x_name ?? "Day", value: figures.time ? undefined : (_, v) => v == null ? "–" : String(Math.round(v * 1000) / 1000) }, ...series],
    axes: [{ ...axis }, { ...axis, size: 52 }],
    cursor: { points: { size: 6 } },
  }, [figures.x, ...figures.series.map((one) => one.values)], element);
  const watch = new ResizeObserver(() => {
    if (element.isConnected) chart.setSize({ width: width(), height: height() }); else watch.disconnect();
  });
  watch.observe(element);
  return chart;
}
