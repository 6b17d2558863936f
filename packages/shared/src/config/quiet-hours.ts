/** Hours of the local day, in minutes since midnight; `from` after `to` spans midnight. */
export interface QuietHours {
  readonly fromMinute: number;
  readonly toMinute: number;
}

/** Reads "22:00-06:30"; undefined when it is none. */
export function parseQuietHours(text: string): QuietHours | undefined {
  const [, fromHour, from, toHour, to] = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (fromHour === undefined) return undefined;
  const quiet = { fromMinute: Number(fromHour) * 60 + Number(from), toMinute: Number(toHour) * 60 + Number(to) };
  return quiet.fromMinute === quiet.toMinute ? undefined : quiet;
}

/** @param minute of the local day */
export function isQuiet({ fromMinute, toMinute }: QuietHours, minute: number): boolean {
  return fromMinute < toMinute ? minute >= fromMinute && minute < toMinute : minute >= fromMinute || minute < toMinute;
}

export function formatQuietHours({ fromMinute, toMinute }: QuietHours): string {
  return `${formatTime(fromMinute)}-${formatTime(toMinute)}`;
}

const formatTime = (minute: number): string =>
  [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, '0')).join(':');
