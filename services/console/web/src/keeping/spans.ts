/** Units of a span, the largest first. */
const UNITS_S = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;
const SPAN = /^(\d+(?:\.\d+)?)\s*([smhd])$/;

/** The shortest span for which anything is kept. */
const SHORTEST_S = 60;

/** Parse a span as the command line takes it, such as 90d, to seconds; NaN where it is none, null where nothing is said. */
export function parseSpan(text: string): number | null {
  if (text.trim() === "") return null;
  const [, amount, unit] = SPAN.exec(text.trim().toLowerCase()) ?? [];
  const [, unitS] = UNITS_S.find(([name]) => name === unit) ?? ["", Number.NaN];
  return Number(amount) * unitS;
}

/** Format seconds in the largest unit that has them whole: "90d", "36h". */
export function formatSpan(seconds: number): string {
  const [unit, unitS] = UNITS_S.find(([, each]) => seconds >= each && seconds % each === 0) ?? (["s", 1] as const);
  return `${seconds / unitS}${unit}`;
}

/** Say what is wrong with a span that was typed. */
export function checkSpan(text: string): string | undefined {
  const seconds = parseSpan(text);
  if (seconds === null) return undefined;
  if (Number.isNaN(seconds)) return "It is such as 90d, 36h or 30m.";
  return seconds < SHORTEST_S
    ? "It is a minute at least: what has just ended is read by whoever asked for it."
    : undefined;
}
