import { Argument, InvalidArgumentError, Option } from 'commander';
import { type OptionValue } from '@expertmesh/shared/config/option-value';

/** An option whose text is checked; what is wrong is said as for every other flag. */
export function checkedOption<T>(flag: string, description: string, value: OptionValue<T>): Option {
  return new Option(`${flag} ${value.placeholder}`, description).argParser(parserOf(value));
}

/** An argument, checked likewise. */
export function checkedArgument<T>(name: string, description: string, value: OptionValue<T>): Argument {
  return new Argument(name, description).argParser(parserOf(value));
}

const parserOf =
  <T>({ schema, accepts }: OptionValue<T>) =>
  (text: string): T => {
    const parsed = schema.safeParse(text);
    if (parsed.success) return parsed.data;
    throw new InvalidArgumentError(`It must be ${accepts}.`);
  };
