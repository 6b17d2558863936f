import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { floatsOf, range, type Call } from './demo-calls.js';

type Header = Readonly<Record<string, { readonly data_offsets: readonly [number, number] }>>;

/** The experts of a checkpoint of one BF16 safetensors file, computed in float64 by the formula alone. */
export class ReferenceExperts {
  readonly #hiddenSize: number;
  readonly #bytes: Buffer;
  readonly #dataStart: number;
  readonly #header: Header;

  constructor(hfDir: string) {
    this.#bytes = readFileSync(join(hfDir, 'model.safetensors'));
    this.#dataStart = 8 + Number(this.#bytes.readBigUInt64LE(0));
    this.#header = JSON.parse(this.#bytes.toString('utf8', 8, this.#dataStart)) as Header;
    const config = JSON.parse(readFileSync(join(hfDir, 'config.json'), 'utf8')) as { hidden_size: number };
    this.#hiddenSize = config.hidden_size;
  }

  /** What a worker must answer: for each row the sum of weight * output over its pairs; [numRows, hidden]. */
  sums({ layerIndex, numRows, rowOffsets, expertIds, routingWeights, rows }: Call): number[] {
    const values = floatsOf(rows);
    return range(0, numRows).flatMap((rowIndex) => {
      const row = [...values.subarray(rowIndex * this.#hiddenSize, (rowIndex + 1) * this.#hiddenSize)];
      const outputs = range(rowOffsets[rowIndex] ?? 0, rowOffsets[rowIndex + 1] ?? 0).map((pair) =>
        this.#output(layerIndex, expertIds[pair] ?? 0, row).map((value) => value * (routingWeights[pair] ?? 0)),
      );
      return row.map((_, i) => outputs.reduce((sum, output) => sum + (output[i] ?? 0), 0));
    });
  }

  /** silu(row gateᵀ) * (row upᵀ) downᵀ */
  #output(layerIndex: number, expertId: number, row: readonly number[]): number[] {
    const name = `model.layers.${String(layerIndex)}.mlp.experts.${String(expertId)}`;
    const gate = timesTransposed(this.#tensor(`${name}.gate_proj.weight`), row);
    const up = timesTransposed(this.#tensor(`${name}.up_proj.weight`), row);
    const activated = gate.map((value, i) => (value / (1 + Math.exp(-value))) * (up[i] ?? 0));
    return timesTransposed(this.#tensor(`${name}.down_proj.weight`), activated);
  }

  #tensor(name: string): Float32Array {
    const entry = this.#header[name];
    if (entry === undefined) throw new RangeError(`no tensor ${name}`);
    const [start, end] = entry.data_offsets;
    const values = new Float32Array((end - start) / 2);
    const bits = new Uint32Array(values.buffer);
    for (const i of bits.keys()) bits[i] = this.#bytes.readUInt16LE(this.#dataStart + start + 2 * i) << 16;
    return values;
  }
}

const timesTransposed = (matrix: Float32Array, x: readonly number[]): number[] =>
  Array.from({ length: matrix.length / x.length }, (_, out) =>
    x.reduce((sum, value, i) => sum + value * (matrix[out * x.length + i] ?? 0), 0),
  );
