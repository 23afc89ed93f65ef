export const RANGES = ["24h", "7d", "31d", "90d"] as const;
export type Range = (typeof RANGES)[number];
/** Column by which a table is sorted; with a minus the other way round. */
type Sorted = string;
export type QualitySearch = {
  range?: Range;
  agent?: string;
  judge?: string;
  criterion?: string;
  agents?: Sorted;
  judges?: Sorted;
  criteria?: Sorted;
};

const TEXTS = ["agent", "judge", "criterion", "agents", "judges", "criteria"] as const;

/** Parse an address that may be typed by hand; without a range, the last week is shown. */
export function parseQualitySearch(raw: Record<string, unknown>): QualitySearch {
  const texts = TEXTS.flatMap((key) => (typeof raw[key] === "string" && raw[key] ? [[key, raw[key]] as const] : []));
  return {
    ...(RANGES.includes(raw.range as Range) && { range: raw.range as Range }),
    ...Object.fromEntries(texts),
  };
}
