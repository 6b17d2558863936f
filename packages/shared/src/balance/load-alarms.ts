/** What one window is judged by. */
export interface AlarmMeasures {
  /** Of measured worker loads; undefined while nothing is placed. */
  readonly worstBalancedness: number | undefined;
  /** 0 to 1, of all experts of layers that had tokens. */
  readonly deadShare: number;
  /** Undefined in the first window. */
  readonly drift: number | undefined;
  /** Of the hottest expert, over the mean of its layer. */
  readonly hottestTimesMean: number;
}

export type AlarmName = 'low_balancedness' | 'dead_experts' | 'drift' | 'hot_expert';

/** An alarm is raised at `raise` and cleared at `clear`, which is less; measures are such that more is worse. */
export interface AlarmLevels {
  readonly raise: number;
  readonly clear: number;
}

export interface AlarmLimits {
  /** Windows in a row that must be beyond a level for it to count. */
  readonly numWindows: number;
  /** 1 - worst balancedness */
  readonly low_balancedness: AlarmLevels;
  readonly dead_experts: AlarmLevels;
  readonly drift: AlarmLevels;
  readonly hot_expert: AlarmLevels;
}

export const DEFAULT_ALARM_LIMITS: AlarmLimits = {
  numWindows: 3,
  low_balancedness: { raise: 0.4, clear: 0.3 },
  dead_experts: { raise: 0.2, clear: 0.1 },
  drift: { raise: 0.35, clear: 0.25 },
  hot_expert: { raise: 10, clear: 8 },
};

export interface AlarmState {
  readonly name: AlarmName;
  readonly isRaised: boolean;
  /** Windows in a row that speak for the other state. */
  readonly numAgainst: number;
  /** Wall-clock time when it was raised. */
  readonly sinceMs: number;
  readonly measure: number;
}

const NAMES = ['low_balancedness', 'dead_experts', 'drift', 'hot_expert'] as const satisfies readonly AlarmName[];

export const NO_ALARMS: readonly AlarmState[] = NAMES.map((name) => ({
  name,
  isRaised: false,
  numAgainst: 0,
  sinceMs: 0,
  measure: 0,
}));

/** The alarms after another window. A measure that is not there leaves its alarm as it is. */
export function afterWindow(
  states: readonly AlarmState[],
  measures: AlarmMeasures,
  limits: AlarmLimits,
  nowMs: number,
): AlarmState[] {
  return states.map((state) => {
    const measure = measureOf(state.name, measures);
    return measure === undefined ? state : step(state, measure, limits[state.name], limits.numWindows, nowMs);
  });
}

function step(state: AlarmState, measure: number, levels: AlarmLevels, numWindows: number, nowMs: number): AlarmState {
  const isAgainst = state.isRaised ? measure < levels.clear : measure > levels.raise;
  const numAgainst = isAgainst ? state.numAgainst + 1 : 0;
  if (numAgainst < numWindows) return { ...state, numAgainst, measure };
  return { name: state.name, isRaised: !state.isRaised, numAgainst: 0, sinceMs: nowMs, measure };
}

function measureOf(name: AlarmName, measures: AlarmMeasures): number | undefined {
  switch (name) {
    case 'low_balancedness':
      return measures.worstBalancedness === undefined ? undefined : 1 - measures.worstBalancedness;
    case 'dead_experts':
      return measures.deadShare;
    case 'drift':
      return measures.drift;
    case 'hot_expert':
      return measures.hottestTimesMean;
  }
}

/** For operators. */
export function alarmMessage({ name, measure }: AlarmState): string {
  switch (name) {
    case 'low_balancedness':
      return (
        `the worst layer's balancedness is ${(1 - measure).toFixed(2)}: its busiest worker keeps the others ` +
        'waiting; rebalance, or add redundant experts'
      );
    case 'dead_experts':
      return (
        `${(100 * measure).toFixed(0)} % of the experts had no token in the last window: ` +
        'the traffic uses only a part of the model'
      );
    case 'drift':
      return (
        `expert shares moved by ${measure.toFixed(2)} between the last two windows: ` +
        'the traffic is changing, and a placement fitted to it ages'
      );
    case 'hot_expert':
      return (
        `one expert has ${measure.toFixed(1)} times the tokens of its layer's mean: ` +
        'give it another replica (rebalance with redundant experts)'
      );
  }
}
