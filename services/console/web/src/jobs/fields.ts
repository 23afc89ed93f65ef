import type { Job, JobPatch, JobsQuery, NewJob } from "@/api/types";

type ApiField = keyof Job | keyof NewJob | keyof JobPatch;
/** Parameters of the list that may be negated, fields of which it takes bounds, and those that it can be ordered by. */
type Asked = { [P in keyof JobsQuery]: `not_${P}` extends keyof JobsQuery ? P : never }[keyof JobsQuery];
type Bounded = { [K in ApiField]: `${K}_min` extends keyof JobsQuery ? K : never }[ApiField];
type Sorted = { [K in ApiField]: `-${K}` extends JobsQuery["order"] ? K : never }[ApiField];

/** Kind of a value, by which it is shown, offered in a menu and read from a query. */
export type Kind = "status" | "agent" | "text" | "uuid" | "words" | "labels" | "reason" | "money" | "span" | "time";

/** Control in the forms; a line of text where there is none. */
type Control = "lines" | "json" | "moment" | "labels" | "criteria" | "priority" | "agent" | "capabilities" | "policy";
type Form<K> = {
  control?: Control;
  hint?: string;
  required?: string;
  initial?: string;
  /** Whether it stands in a row with other narrow ones. */
  isNarrow?: true;
  isEdited?: K extends keyof JobPatch ? true : never;
};

type Field<K extends ApiField> = {
  /** Word of the page for it, if not the API's; capitalized, it is its name. */
  word?: string;
  kind?: Kind;
  column?: { name?: string; px?: number; minPx?: number; isHidden?: true; isFixed?: true; isNumber?: true };
  /** Words of the orders: largest first, and smallest first. */
  sort?: K extends Sorted ? readonly [string, string?] : never;
  /** Fact in the head of a job's page; a text is its name there. */
  fact?: true | string;
  filter?: {
    /** Word in the address and in a query, if not the field's. */
    word?: string;
    /** How a row shows that its job does not pass: by its value, or as the last execution has not ended. */
    by?: "value" | "ending";
    /** Words of a chip before the quoted value, if not the filter's word. */
    chip?: string;
  } & (K extends Asked | Bounded | "status" | "created_at" ? { asks?: K } : { asks: Asked | "reason" });
  form?: K extends keyof NewJob ? Form<K> : never;
};

/** Fields of a job, in the order of columns, facts and forms: all that the page has of each is derived from its entry. */
export const FIELDS = {
  id: { fact: true },
  status: { kind: "status", column: { px: 216, isFixed: true }, filter: {} },
  title: {
    column: { name: "Job", minPx: 240, isFixed: true },
    form: { required: "It needs a title.", isEdited: true },
  },
  description: { form: { control: "lines", hint: "What is to be done; the agent gets it.", isEdited: true } },
  acceptance_criteria: { word: "criteria", form: { control: "criteria", isEdited: true } },
  last_log: { word: "last", column: { name: "Last entry", minPx: 200 } },
  agent_id: {
    word: "agent",
    kind: "agent",
    column: { px: 120 },
    fact: true,
    filter: { by: "value" },
    form: { control: "agent" },
  },
  capabilities: { kind: "words", form: { control: "capabilities" } },
  payload: { form: { control: "json", isEdited: true } },
  submission: { column: { px: 92, isNumber: true } },
  tenant: {
    column: { px: 112, isHidden: true },
    fact: true,
    filter: { by: "value" },
    form: { initial: "default", isNarrow: true },
  },
  priority: {
    column: { px: 80, isHidden: true, isNumber: true },
    sort: ["Most urgent"],
    fact: true,
    form: { control: "priority", initial: "5", isNarrow: true, isEdited: true },
  },
  not_before: { word: "not before", form: { control: "moment", hint: "No execution begins earlier.", isNarrow: true } },
  // A batch keeps its jobs, also those that another one retried: no row tells whether it is of a batch.
  batch_id: { word: "batch", kind: "uuid", fact: true, filter: {} },
  cost_usd: {
    word: "cost",
    kind: "money",
    column: { px: 72, isNumber: true },
    sort: ["Most expensive", "Cheapest"],
    fact: "Spent",
    filter: { by: "ending" },
  },
  duration_s: {
    word: "duration",
    kind: "span",
    column: { px: 92, isHidden: true, isNumber: true },
    sort: ["Slowest", "Fastest"],
    filter: { by: "ending" },
  },
  labels: {
    kind: "labels",
    column: { px: 192, isHidden: true },
    filter: { word: "label", asks: "label", by: "value" },
    form: { control: "labels", isEdited: true },
  },
  code: { kind: "words", filter: { by: "ending" } },
  verdict: {
    filter: { word: "criterion", asks: "criterion_not_met", by: "ending", chip: "criterion not met" },
  },
  waiting: { kind: "reason", filter: { word: "reason", asks: "reason" } },
  created_at: {
    word: "created",
    kind: "time",
    column: { px: 96, isHidden: true },
    sort: ["Newest", "Oldest"],
    fact: true,
    filter: {},
  },
  updated_at: {
    word: "updated",
    kind: "time",
    column: { px: 96 },
    sort: ["Last updated", "Longest unchanged"],
    fact: "Changed",
  },
  policy: { form: { control: "policy", isEdited: true } },
} as const satisfies { [K in ApiField]?: Field<K> };

/** Fields that the page has no column, filter, fact or form of, and why. */
export const OTHERS = {
  version: "names the state that an edit was made for",
  execution_id: "names the execution whose entries tell the progress",
  progress: "stands beside the status",
  progress_message: "stands in the history",
  tokens: "stands beside the cost",
  live: "is shown by the status",
  cancelled: "is shown and filtered as a status",
  result: "has a section of its own",
  result_version: "names the entry of the result",
  criteria: "is edited as text",
  references: "is given at other doors, and kept by an edit",
} satisfies Record<Exclude<ApiField, keyof typeof FIELDS>, string>;

type Fields = typeof FIELDS;
type Key = keyof Fields;
type With<Part extends string> = { [K in Key]: Fields[K] extends Record<Part, unknown> ? K : never }[Key];
type WordOf<K extends Key> = K extends Key ? (Fields[K] extends { word: infer W extends string } ? W : K) : never;
type KindOf<K extends Key> = Fields[K] extends { kind: infer J } ? J : "text";
type FilterWordOf<K extends With<"filter">> = Fields[K]["filter"] extends { word: infer W } ? W : WordOf<K>;

export type ColumnId = WordOf<With<"column">>;
export type Sort = WordOf<With<"sort">>;
export type FormName = With<"form">;
/** Words of the filters by values of some kinds. */
export type FilterWord<J extends Kind = Kind> = {
  [K in With<"filter">]: KindOf<K> extends J ? FilterWordOf<K> : never;
}[With<"filter">];

const capitalize = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

const ALL = Object.entries<Field<ApiField>>(FIELDS).map(([key, field]) => {
  const { word = key, kind = "text" } = field;
  return { ...field, key: key as Key, kind, word, name: capitalize(word) };
});

export const COLUMNS = ALL.flatMap(({ column, ...field }) =>
  column ? [{ ...field, ...column, name: column.name ?? field.name, id: field.word as ColumnId }] : [],
);
export type Column = (typeof COLUMNS)[number];

const UNORDERED = ALL.flatMap(({ key, kind, filter, ...field }) => {
  const { word = field.word, asks = key, by, chip } = filter ?? {};
  return filter ? [{ key, kind, word: word as FilterWord, name: capitalize(word), asks, by, chip }] : [];
});
export const filtersOf = (...kinds: Kind[]) => UNORDERED.filter(({ kind }) => kinds.includes(kind));
/** Filters by values, of which a job may be asked to have another. */
export const NEGATED_FILTERS = filtersOf("agent", "text", "uuid", "words", "labels");
export const VALUE_FILTERS = [...NEGATED_FILTERS, ...filtersOf("reason")];
export const RANGE_FILTERS = filtersOf("money", "span");
/** Filters of the list: by status, by other values, by bounds, and by time. */
export const FILTERS = [...filtersOf("status"), ...VALUE_FILTERS, ...RANGE_FILTERS, ...filtersOf("time")];
export type Filter = (typeof FILTERS)[number];

/** Orders of the list: by time, by what all jobs have, and by what only those have whose last execution ended. */
export const SORTS = ALL.flatMap(({ key, kind, word, sort: words, filter }) => {
  const isOfEnded = filter?.by === "ending";
  const place = kind === "time" ? 0 : isOfEnded ? 2 : 1;
  return words ? [{ key, word: word as Sort, words, isOfEnded, place }] : [];
}).toSorted((one, other) => one.place - other.place);

/** Facts in the head of a job's page. */
export const FACTS = ALL.flatMap(({ fact, ...field }) =>
  fact ? [{ ...field, name: fact === true ? field.name : fact }] : [],
);

export const FORM_FIELDS = ALL.flatMap(({ key, word, name, form }) =>
  form ? [{ control: "line" as const, ...form, key: key as FormName, word, name }] : [],
);
export type FormField = (typeof FORM_FIELDS)[number];
