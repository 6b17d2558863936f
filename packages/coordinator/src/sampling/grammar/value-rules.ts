import type { Rule } from './grammar-symbol.js';
import type { JsonText } from './json-text.js';
import type { Conjunction } from './schema-document.js';
import type { ValueJudge } from './value-judge.js';

/** What the rules of objects need of the grammar that they are in. */
export interface ValueRules {
  readonly reader: ValueJudge;
  readonly text: JsonText;
  /** Values for which all of the schemas hold. */
  ruleOf(schemas: Conjunction): Rule;
}
