// Times single queries on the original engine, npm @ruvector/attention, in this process.
//
// Started with the folder it is installed in; answers each line of JSON on stdin,
// {name, heads, n, seconds, path} with path a file of float32: query, keys, values, with one of
// {milliseconds, output}: the median of as many repetitions as fit into the seconds, at least 1.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const engine = createRequire(process.argv[2] + '/')('@ruvector/attention');

const KERNELS = {
  scaled_dot: (d, heads) => new engine.MultiHeadAttention(d, heads),
  flash_v2: (d) => new engine.FlashAttention(d, 64),
  linear: (d) => new engine.LinearAttention(d, d),
  gat: (d, heads) => new engine.EdgeFeaturedAttention({ nodeDim: d, edgeDim: 1, numHeads: heads }),
  moe: (d) => new engine.MoEAttention({ dim: d, numExperts: 8, topK: 2 }),
};

const prepared = new Map();

function prepare({ name, heads, n, path }) {
  const bytes = readFileSync(path);
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const d = floats.length / (2 * n + 1);
  const row = (i) => floats.slice(i * d, (i + 1) * d);
  const rows = (first) => Array.from({ length: n }, (_, i) => row(first + i));
  const [query, keys, values] = [row(0), rows(1), rows(1 + n)];
  const kernel = KERNELS[name](d, heads);
  const run = () => kernel.compute(query, keys, values);
  return { run, output: Array.from(run()) };
}

function measure(run, seconds) {
  const spent = [];
  const end = performance.now() + seconds * 1000;
  while (spent.length < 1 || performance.now() < end) {
    const start = performance.now();
    run();
    spent.push(performance.now() - start);
  }
  return spent.sort((a, b) => a - b)[spent.length >> 1];
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (!prepared.has(asked.name)) prepared.set(asked.name, prepare(asked));
  const { run, output } = prepared.get(asked.name);
  console.log(JSON.stringify({ milliseconds: measure(run, asked.seconds), output }));
}
