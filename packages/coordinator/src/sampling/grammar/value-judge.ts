import type { RegexAutomaton } from './regex-automaton.js';
import type { Conjunction } from './schema-document.js';
import type { Json, Shape } from './schema-shape.js';

/** What looking into a schema's members needs of its reader. */
export interface ValueJudge {
  readonly automaton: RegexAutomaton;
  /** The ways in which all of the schemas hold; none where no value is valid. */
  shapesOf(schemas: Conjunction): readonly Shape[];
  isValid(value: Json, schemas: Conjunction): boolean;
  /** What is valid for both; undefined where nothing can be, as far as types and values tell. */
  intersect(a: Shape, b: Shape): Shape | undefined;
}
