/** Search parameters of a job's page: what is shown of it. */
export type JobSearch = {
  /** Submissions by their names in addresses: that which is shown, and that with which it is compared. */
  submission?: string;
  against?: string;
  /** View of the result, or the difference. */
  view?: string;
  /** Criterion in hand by its place in the verdict, and which of its quotations: "2", or "2.3". */
  criterion?: string;
  /** Whether a job that was removed is shown as the archive has it. */
  archived?: string;
};

const KEYS = ["submission", "against", "view", "criterion", "archived"] as const satisfies readonly (keyof JobSearch)[];

/** Read the search parameters of an address; what is not there to be shown is found out where it is shown. */
export function parseJobSearch(search: Record<string, unknown>): JobSearch {
  return Object.fromEntries(KEYS.flatMap((key) => (typeof search[key] === "string" ? [[key, search[key]]] : [])));
}
