import { expect, it } from 'vitest';
import {
  afterWindow,
  alarmMessage,
  NO_ALARMS,
  type AlarmLimits,
  type AlarmMeasures,
  type AlarmName,
  type AlarmState,
} from './load-alarms.js';

const limits: AlarmLimits = {
  numWindows: 2,
  low_balancedness: { raise: 0.4, clear: 0.3 },
  dead_experts: { raise: 0.2, clear: 0.1 },
  drift: { raise: 0.35, clear: 0.25 },
  hot_expert: { raise: 10, clear: 8 },
};
const calm: AlarmMeasures = { worstBalancedness: 0.95, deadShare: 0, drift: 0.1, hottestTimesMean: 3 };

/** Which alarms are raised after each window; windows end at 1, 2, 3 ... */
function run(windows: Partial<AlarmMeasures>[]): { raised: AlarmName[][]; states: readonly AlarmState[] } {
  let states: readonly AlarmState[] = NO_ALARMS;
  const raised = windows.map((measures, i) => {
    states = afterWindow(states, { ...calm, ...measures }, limits, i + 1);
    return states.flatMap(({ name, isRaised }) => (isRaised ? [name] : []));
  });
  return { raised, states };
}

it('raises an alarm after enough windows in a row, and says since when', () => {
  const { raised, states } = run([
    { worstBalancedness: 0.5 },
    {},
    { worstBalancedness: 0.5 },
    { worstBalancedness: 0.5 },
  ]);
  expect(raised).toEqual([[], [], [], ['low_balancedness']]);
  expect(states[0]).toMatchObject({ sinceMs: 4 });
  expect(states.filter(({ isRaised }) => isRaised).map(alarmMessage)[0]).toMatch(/is 0.50/);
});

it('keeps an alarm between the levels, and clears it after enough windows below the lower one', () => {
  const { raised } = run([
    { hottestTimesMean: 12 },
    { hottestTimesMean: 12 },
    { hottestTimesMean: 9 },
    { hottestTimesMean: 7 },
    { hottestTimesMean: 9 },
    { hottestTimesMean: 7 },
    { hottestTimesMean: 7 },
  ]);
  expect(raised.map((names) => names.length)).toEqual([0, 1, 1, 1, 1, 1, 0]);
});

it('has an alarm for each measure, independent of the others', () => {
  const bad = { deadShare: 0.5, drift: 0.9 };
  expect(run([bad, bad]).raised[1]).toEqual(['dead_experts', 'drift']);
});

it('leaves alarms as they are while there is nothing to measure', () => {
  const unknown: AlarmMeasures = { ...calm, worstBalancedness: undefined, drift: undefined };
  let states: readonly AlarmState[] = run([{ worstBalancedness: 0.1 }, { worstBalancedness: 0.1 }]).states;
  for (let i = 0; i < 5; i++) states = afterWindow(states, unknown, limits, 10 + i);
  expect(states.find(({ name }) => name === 'low_balancedness')).toMatchObject({ isRaised: true, sinceMs: 2 });
});
