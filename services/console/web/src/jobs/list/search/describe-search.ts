import { formatMinuteTime } from "@/lib/format";
import type { JobsSearch, NotField } from "./jobs-search";

/** Filter in words, with the change that takes it away. */
export type FilterWords = { words: string; without: Partial<JobsSearch> };

/** Describe the filters apart from status and text, with times in a zone and agents by name. */
export function listFilters(search: JobsSearch, zone: string | undefined, nameOf = (id: string) => id): FilterWords[] {
  const { agent, tenant, batch, label = [], code = [], criterion, notStatus } = search;
  const describeNot = (name: NotField, format: (value: string) => string): FilterWords[] => {
    const values = search[name] ?? [];
    return values.map((each) => ({ words: format(each), without: { [name]: allBut(values, each) } }));
  };
  const found: (FilterWords | false | undefined | "")[] = [
    notStatus && { words: `status not ${notStatus.join(" or ")}`, without: { notStatus: undefined } },
    search.cancelled === false && { words: "not cancelled", without: { cancelled: undefined } },
    agent && { words: `agent ${nameOf(agent)}`, without: { agent: undefined } },
    tenant && { words: `tenant ${tenant}`, without: { tenant: undefined } },
    batch && { words: `batch ${batch}`, without: { batch: undefined } },
    ...label.map((each) => ({ words: `label ${each}`, without: { label: allBut(label, each) } })),
    ...code.map((each) => ({ words: `code ${each}`, without: { code: allBut(code, each) } })),
    criterion && { words: `criterion not met “${criterion}”`, without: { criterion: undefined } },
    ...describeNot("notAgent", (id) => `agent not ${nameOf(id)}`),
    ...describeNot("notTenant", (each) => `tenant not ${each}`),
    ...describeNot("notBatch", (each) => `batch not ${each}`),
    ...describeNot("notLabel", (each) => `label not ${each}`),
    ...describeNot("notCode", (each) => `code not ${each}`),
    ...describeNot("notCriterion", (each) => `not: criterion not met “${each}”`),
    describeRange("cost", search.costMin, search.costMax, (usd) => `$${usd}`, {
      costMin: undefined,
      costMax: undefined,
    }),
    describeRange("duration", search.durationMin, search.durationMax, (seconds) => `${seconds} s`, {
      durationMin: undefined,
      durationMax: undefined,
    }),
    describeTime(search, zone),
  ];
  return found.filter((each): each is FilterWords => Boolean(each));
}

function allBut(values: readonly string[], value: string): string[] | undefined {
  const others = values.filter((each) => each !== value);
  return others.length > 0 ? others : undefined;
}

type Format = (amount: number) => string;

function describeRange(
  name: string,
  min: number | undefined,
  max: number | undefined,
  format: Format,
  without: Partial<JobsSearch>,
): FilterWords | undefined {
  if (min === undefined && max === undefined) return undefined;
  if (max === undefined) return { words: `${name} at least ${format(min ?? 0)}`, without };
  const words = min === undefined ? `at most ${format(max)}` : `from ${format(min)} to ${format(max)}`;
  return { words: `${name} ${words}`, without };
}

function describeTime({ period, from, to }: JobsSearch, zone: string | undefined): FilterWords | undefined {
  const without = { period: undefined, from: undefined, to: undefined };
  if (period) return { words: `created within ${period}`, without };
  const words = [from && `from ${formatMinuteTime(from, zone)}`, to && `until ${formatMinuteTime(to, zone)}`];
  return from || to ? { words: `created ${words.filter(Boolean).join(" ")}`, without } : undefined;
}

/** Describe the whole filter, as a bulk action restates it. */
export function describeSearch(search: JobsSearch, zone: string | undefined, nameOf = (id: string) => id): string {
  const words = [
    search.status && `status ${search.status.join(" or ")}`,
    search.cancelled && "cancelled",
    search.unknown?.join(", "),
    ...listFilters(search, zone, nameOf).map((filter) => filter.words),
    search.text && `text “${search.text}”`,
  ].filter(Boolean);
  return words.length > 0 ? words.join(", ") : "all jobs";
}
