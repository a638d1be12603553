// The arithmetic of thresholds, as edge_agent.detection.budget and training_hub.evaluation.metrics do it. Pure.

export const WINDOWS_PER_WEEK = 604800 / 10;

export const above = (scores, threshold) => scores.reduce((count, score) => count + (score >= threshold ? 1 : 0), 0);

// what thresholds give, over machines: [{normal, anomalous, threshold}], each threshold times `factor`
export function outcome(machines, factor) {
  const found = { found: 0, missed: 0, false: 0, right: 0, rates: [] };
  for (const { normal, anomalous, threshold } of machines) {
    if (threshold == null) continue;
    const hit = above(anomalous, threshold * factor);
    const wrong = above(normal, threshold * factor);
    found.found += hit;
    found.missed += anomalous.length - hit;
    found.false += wrong;
    found.right += normal.length - wrong;
    // one exceedance more than was seen: few clips promise little
    if (normal.length) found.rates.push(Math.min((wrong + 1) / (normal.length + 1), 0.999));
  }
  return found;
}

// error function's complement, relative error below 1.2e-7 (Numerical Recipes, erfcc)
export function erfc(x) {
  const z = Math.abs(x);
  const t = 1 / (1 + 0.5 * z);
  const r = t * Math.exp(-z * z - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
  return x >= 0 ? r : 2 - r;
}

// x with P(X > x) = probability, X standard normal; bisection, for it is asked a few times per move
export function upperQuantile(probability) {
  let low = -9;
  let high = 9;
  for (let round = 0; round < 80; round += 1) {
    const middle = (low + high) / 2;
    if (0.5 * erfc(middle / Math.SQRT2) > probability) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

export function persistence(probability, correlation) {
  if (correlation <= 0) return probability;
  const own = Math.min(correlation, 0.99);
  const threshold = upperQuantile(probability);
  let weighted = 0;
  let total = 0;
  for (let step = 0; step <= 800; step += 1) {
    const x = threshold + step / 100;
    const density = Math.exp(-0.5 * (x * x - threshold * threshold));
    weighted += density * 0.5 * erfc((threshold - own * x) / Math.sqrt(1 - own * own) / Math.SQRT2);
    total += density;
  }
  return Math.min(1, Math.max(probability, weighted / total));
}

// alarms per window: how often k of the last n windows exceed where fewer did one window before; n up to 12
export function alarmRate(probability, stays, k, n) {
  const onset = probability * (1 - stays) / Math.max(1 - probability, 1e-12);
  let rate = 0;
  for (let pattern = 0; pattern < 1 << n; pattern += 1) {
    if (bits(pattern) !== k - 1 || pattern >> (n - 1)) continue;
    const last = pattern & 1;
    let chance = last ? probability : 1 - probability;
    for (let shift = 1; shift < n; shift += 1) {
      const later = (pattern >> (shift - 1)) & 1;
      const earlier = (pattern >> shift) & 1;
      const from = later ? stays : onset;
      chance *= earlier ? from : 1 - from;
    }
    rate += chance * (last ? stays : onset);
  }
  return rate;
}

const bits = (value) => { let count = 0; for (let rest = value; rest; rest &= rest - 1) count += 1; return count; };

export function alarmsPerWeek(probability, correlation, k, n) {
  return WINDOWS_PER_WEEK * alarmRate(probability, persistence(probability, correlation), k, n);
}

// [[false positives], [true positives]], shares, from the strictest threshold to the laxest; ties are one step
export function roc(normal, anomalous) {
  const all = [...normal.map((score) => [score, 0]), ...anomalous.map((score) => [score, 1])].sort((a, b) => b[0] - a[0]);
  const xs = [0];
  const ys = [0];
  let wrong = 0;
  let hit = 0;
  all.forEach(([score, odd], place) => {
    if (odd) hit += 1; else wrong += 1;
    if (place + 1 < all.length && all[place + 1][0] === score) return;
    xs.push(wrong / normal.length);
    ys.push(hit / anomalous.length);
  });
  return [xs, ys];
}

export const area = ([xs, ys]) => xs.slice(1).reduce((sum, x, at) => sum + (x - xs[at]) * (ys[at + 1] + ys[at]) / 2, 0);

export function histogram(scores, low, high, bins) {
  const counts = new Array(bins).fill(0);
  const width = (high - low) / bins || 1;
  for (const score of scores) counts[Math.min(bins - 1, Math.max(0, Math.floor((score - low) / width)))] += 1;
  return counts.map((count) => count / (scores.length || 1));
}
