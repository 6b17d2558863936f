import { seededRandom } from '@expertmesh/shared/random/seeded-random';

/** Kinds of text among which the demo model's router prefers different experts; `mixed` has all of them in turn. */
export const DOMAINS = ['arithmetic', 'chinese', 'code', 'mixed'] as const;

export type Domain = (typeof DOMAINS)[number];

/** No question is in both: what placements are fitted to, and what they are judged on. */
export type Half = 'fit' | 'test';

export interface Question {
  readonly text: string;
  readonly enableThinking: boolean;
}

type PureDomain = Exclude<Domain, 'mixed'>;
type Random = () => number;

/** An endless row of questions such as the demo model was trained on; the same for the same seed. */
export function* questionsOf(domain: Domain, half: Half, seed: number): Generator<Question, never, void> {
  const random = seededRandom(seed);
  for (let index = 0; ; index++) {
    const pure = domain === 'mixed' ? (PURE_DOMAINS[index % PURE_DOMAINS.length] ?? 'code') : domain;
    yield questionOf(pure, half, random);
  }
}

function questionOf(domain: PureDomain, half: Half, random: Random): Question {
  for (;;) {
    const question = { text: MAKERS[domain](random), enableThinking: random() < 0.6 };
    if (halfOf(question) === half) return question;
  }
}

function halfOf({ text, enableThinking }: Question): Half {
  let hash = enableThinking ? 1 : 0;
  for (const letter of text) hash = (Math.imul(hash, 31) + (letter.codePointAt(0) ?? 0)) >>> 0;
  return seededRandom(hash)() < 0.5 ? 'fit' : 'test';
}

const PURE_DOMAINS: readonly PureDomain[] = ['arithmetic', 'chinese', 'code'];

const MAKERS: Readonly<Record<PureDomain, (random: Random) => string>> = {
  arithmetic: (random) => {
    const [a, b] = [number(random), number(random)];
    const [larger, smaller] = [Math.max(a, b), Math.min(a, b)].map(String);
    const [first, second] = [String(a), String(b)];
    return oneOf(random, [
      `What is ${first} + ${second}?`,
      `${first}+${second}=?`,
      `Add ${first} and ${second}.`,
      `Compute ${first} plus ${second}.`,
      `What is ${larger ?? ''} - ${smaller ?? ''}?`,
      `Subtract ${smaller ?? ''} from ${larger ?? ''}.`,
    ]);
  },
  chinese: (random) =>
    oneOf(random, [
      `${oneOf(random, CHINESE_COUNTRIES)}的首都是哪里?`,
      `${oneOf(random, CHINESE_DAYS)}的后一天是星期几?`,
      `Translate to English: ${oneOf(random, CHINESE_WORDS)}`,
      `${String(number(random))}加${String(number(random))}等于多少?`,
      `请计算${String(number(random))}+${String(number(random))}。`,
    ]),
  code: (random) =>
    `Write a ${oneOf(random, ['Python', 'JavaScript'])} function ${oneOf(random, FUNCTION_NAMES)} to ` +
    `${oneOf(random, FUNCTIONS)}.`,
};

const CHINESE_COUNTRIES = '法国 德国 意大利 西班牙 日本 中国 埃及 加拿大 英国 泰国 越南 韩国 希腊 挪威 波兰'.split(' ');
const CHINESE_DAYS = '星期一 星期二 星期三 星期四 星期五 星期六 星期日'.split(' ');
const CHINESE_WORDS = '水 火 山 河 太阳 月亮 树 花 狗 猫 马 鸟 鱼 书 房子 红色 绿色 朋友 茶'.split(' ');
const FUNCTION_NAMES = ['f', 'g', 'solve', 'compute', 'run', 'result'];
const FUNCTIONS = [
  'add two numbers',
  'subtract b from a',
  'multiply two numbers',
  'square a number',
  'check if a number is even',
  'check if a number is odd',
  'return the larger of two numbers',
  'negate a number',
];

const number = (random: Random): number => Math.floor(random() * oneOf(random, [10, 100, 100, 1000]));

function oneOf<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[Math.floor(random() * choices.length)];
  if (choice === undefined) throw new Error('nothing to choose from');
  return choice;
}
