// Attention by the original engine over rows of a file of float32: node ruvector.mjs FOLDER FILE DIMENSIONS HEADS
// For each line of input, the number of a row, it answers with milliseconds.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, file, dimensions, heads] = process.argv.slice(2);
const { MultiHeadAttention } = createRequire(folder + "/")("@ruvector/attention");
const bytes = readFileSync(file);
const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const width = Number(dimensions);
const rows = [];
for (let start = 0; start < all.length; start += width) rows.push(all.slice(start, start + width));

const attention = new MultiHeadAttention(width, Number(heads));
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const start = performance.now();
  attention.compute(rows[Number(line)], rows, rows);
  console.log(performance.now() - start);
}
