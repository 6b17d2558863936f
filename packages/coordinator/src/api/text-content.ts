import { z } from 'zod';
import { mustBe } from './field-errors.js';
import { refuseUnsupported } from './parse-request.js';

/**
 * Content that is a string, or a list of parts that are joined by newlines, as vLLM does. `textOfType` names, for each
 * type of part that is text, the field that has it. What else a part has is ignored; parts of other types are refused
 * by name.
 */
export function textContent(textOfType: Readonly<Record<string, string>>) {
  return z.unknown().transform((value, context): string => {
    if (typeof value === 'string') return value;
    if (!Array.isArray(value)) {
      context.addIssue({ code: 'custom', message: mustBe('a string or a list of text parts')({ input: value }) });
      return z.NEVER;
    }
    const texts = value.map((part) => textOf(part, textOfType));
    const wrongIndex = texts.findIndex((text) => text === undefined);
    if (wrongIndex >= 0) refuseUnsupported(context, wrongPart(value[wrongIndex], wrongIndex, textOfType));
    return texts.join('\n');
  });
}

const anyPart = z.looseObject({ type: z.string() });

function textOf(part: unknown, textOfType: Readonly<Record<string, string>>): string | undefined {
  const { data } = anyPart.safeParse(part);
  const field = data === undefined ? undefined : textOfType[data.type];
  const text = field === undefined ? undefined : data?.[field];
  return typeof text === 'string' ? text : undefined;
}

function wrongPart(part: unknown, index: number, textOfType: Readonly<Record<string, string>>): string {
  const { data } = anyPart.safeParse(part);
  const isKnown = data === undefined || data.type in textOfType;
  const found = isKnown ? 'something else' : `type ${data.type}`;
  const [[type, field] = []] = Object.entries(textOfType);
  const accepted = `{"type": "${type ?? ''}", "${field ?? ''}": "..."}`;
  return `has in part ${String(index)} ${found}: this server reads text only, as ${accepted}`;
}
