import { z } from 'zod';
import { parseByteSize } from '@expertmesh/shared/config/byte-size';
import { type OptionValue } from '@expertmesh/shared/config/option-value';
import { type SimulatedBox } from '@expertmesh/shared/simulate/simulated-box';

const DEFAULT_CORES = 8;
const MAX_BOXES = 1024;

/** 4x64GB@40GB/s/8c,1x128GB@100GB/s */
export const boxesValue: OptionValue<readonly SimulatedBox[]> = {
  placeholder: '<n>x<memory>@<rate>/s[/<cores>c],...',
  accepts: `boxes such as 4x64GB@40GB/s or 64GB@40GB/s/16c, separated by commas, at most ${String(MAX_BOXES)}`,
  schema: z.string().transform((text, context) => {
    const boxes = parseBoxes(text);
    if (boxes === undefined) context.addIssue({ code: 'custom' });
    return boxes ?? z.NEVER;
  }),
};

export function parseBoxes(text: string): readonly SimulatedBox[] | undefined {
  const kinds = text.split(',').map(parseKind);
  const all = kinds.flatMap((kind) => (kind === undefined ? [] : new Array<Kind>(kind.numBoxes).fill(kind)));
  if (kinds.includes(undefined) || all.length === 0 || all.length > MAX_BOXES) return undefined;
  return all.map(({ memoryBytes, memoryBytesPerSecond, numCores }, index) => ({
    boxId: `box-${String(index)}`,
    memoryBytes,
    memoryBytesPerSecond,
    numCores,
  }));
}

type Kind = Omit<SimulatedBox, 'boxId'> & { readonly numBoxes: number };

function parseKind(text: string): Kind | undefined {
  const pattern = /^(?:(\d{1,4})x)?([\d.]+ ?[a-z]+)@([\d.]+ ?[a-z]+)\/s(?:\/(\d{1,3})c)?$/i;
  const [, count = '1', memory = '', rate = '', cores = String(DEFAULT_CORES)] = pattern.exec(text.trim()) ?? [];
  const [memoryBytes = 0, memoryBytesPerSecond = 0] = [parseByteSize(memory), parseByteSize(rate)];
  const [numBoxes, numCores] = [Number(count), Number(cores)];
  const isSense = memoryBytes > 0 && memoryBytesPerSecond > 0 && numCores > 0;
  return isSense ? { numBoxes, memoryBytes, memoryBytesPerSecond, numCores } : undefined;
}
