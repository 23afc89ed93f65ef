import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { JobLog, Verdict } from "@/api/types";
import { type JobSearch, parseJobSearch } from "@/jobs/model/job-search";
import { entryQuery } from "@/jobs/model/logs";
import type { Submission } from "@/jobs/model/submissions";
import { nameQuote } from "@/judging/verdict";
import { chooseView, listViews, type Shown } from "@/results/model/choose-view";
import type { Focus, Quote } from "@/results/model/evidence";
import { inspectResult } from "@/results/model/inspect-result";

/** Quotation of a criterion, with its name in an address: "2" the first of the second criterion, "2.3" its third. */
type NamedQuote = Quote & { slug: string };

/** What the address says is shown of a job: a submission and another, a view, a criterion; and what it says in vain. */
export function useShownSubmission(
  jobId: string,
  submissions: readonly Submission[],
  isPending: boolean,
  wasThere: boolean,
) {
  const search = parseJobSearch(useSearch({ strict: false }));
  const change = useSearchChange();
  const all = useMemo(() => listShown(submissions), [submissions]);
  const chosen = findBySlug(all, search.submission);
  const shown = chosen ?? all.at(-1);
  const others = all.filter((each) => each !== shown && each.resultVersion !== null);
  const chosenOther = findBySlug(others, search.against);
  const other = chosenOther ?? others.at(-1);
  const hasResult = shown !== undefined && shown.resultVersion !== null;
  const { entry, problem } = useResultEntry(jobId, shown);
  const { entry: otherEntry } = useResultEntry(jobId, other);
  const isRead = hasResult ? entry !== undefined || problem !== null : !isPending;
  const [wasRead, setWasRead] = useState(false);
  if (isRead && !wasRead) setWasRead(true);
  const verdict = entry?.verdict ?? undefined;
  const otherVerdict = otherEntry?.verdict ?? undefined;
  const quotes = useMemo(() => listQuotes(verdict), [verdict]);
  const quote = quotes.find(({ slug }) => slug === search.criterion);
  const [turn, setTurn] = useState(0);
  // Of a page that was left, the reader saw more than the place of a quote: that is scrolled to when it is asked for again.
  const [isStill, setStill] = useState(wasThere);
  const focus = useMemo(
    (): Focus | null => (quote ? { id: quote.id, turn, ...(isStill && { isStill }) } : null),
    [quote, turn, isStill],
  );

  const value = entry?.result;
  const views = useMemo(
    () => (entry ? listViews(value, inspectResult(value), other !== undefined) : []),
    [entry, value, other],
  );
  const named = views.find((each) => each === search.view);
  const derived = useMemo(() => (quote && entry ? chooseView(value, quote) : views[0]), [quote, entry, value, views]);
  const view = named ?? derived;

  /** Show the first place of a quote in the result; called again, the next. */
  const showQuote = (id: string) => {
    const wanted = quotes.find((each) => each.id === id);
    if (!wanted) return;
    setStill(false);
    setTurn(wanted === quote ? turn + 1 : 0);
    const next = chooseView(value, wanted, view);
    const isPlain = next === chooseView(value, wanted);
    if (wanted !== quote || next !== view)
      change({ criterion: wanted.slug, view: isPlain ? undefined : next }, { isReplaced: true });
  };
  const choose = (key: string) => {
    const next = all.find((each) => each.key === key);
    const view = search.view === "diff" ? "diff" : undefined;
    const against = next === other ? undefined : search.against;
    change({ submission: toSlug(all, next), against, view, criterion: undefined });
  };
  return {
    choice: {
      all,
      shown,
      others,
      other,
      onChoose: choose,
      onCompare: (key: string) =>
        change({
          against: toSlug(
            all,
            others.find((each) => each.key === key),
          ),
        }),
    },
    shown,
    hasResult,
    entry,
    problem,
    verdict,
    quotes,
    focus,
    showQuote,
    view,
    onView: (next: Shown) => change({ view: next }),
    ignored: isRead && entry ? listIgnored() : [],
    isNewest: shown === all.at(-1),
    isJudged: entry ? verdict !== undefined : shown?.reason != null,
    /** Whether it was read; and whether it, or one before it, ever was. */
    isRead,
    wasRead,
    comparedVerdict: other && otherVerdict && { name: other.name, verdict: otherVerdict },
    comparedResult: other && otherEntry && { name: other.name.toLowerCase(), value: otherEntry.result },
  };

  /** List what the address asks for that is not there, each with what is shown instead. */
  function listIgnored(): string[] {
    const { submission, against, view: asked, criterion } = search;
    const isCriterion = verdict?.criteria.some((_, at) => criterion?.split(".")[0] === String(at + 1));
    return [
      submission && !chosen && `There is no submission ${submission}: ${shown?.name} is shown.`,
      against &&
        !chosenOther &&
        `There is no submission ${against} to compare with${other ? `: ${other.name} is` : ""}.`,
      asked && !named && `There is no view ${asked} of this result: the best is shown.`,
      criterion && !quote && !isCriterion && `There is no criterion ${criterion} in this verdict: none is in hand.`,
    ].filter((words) => typeof words === "string" && words !== "") as string[];
  }
}

/** Return what changes the address, and keeps the scroll. */
function useSearchChange() {
  const navigate = useNavigate();
  return (changes: JobSearch, { isReplaced = false } = {}) =>
    void navigate({
      to: ".",
      search: ((before: object) => ({ ...before, ...changes })) as never,
      replace: isReplaced,
      resetScroll: false,
    });
}

/** Find a submission by its name in an address; a number alone is the newest of that number. */
function findBySlug(all: readonly Submission[], slug: string | undefined): Submission | undefined {
  if (slug === undefined) return undefined;
  const ofNumber = all.filter(({ number, isLate }) => String(number) === slug && !isLate);
  return ofNumber.at(-1) ?? all.find((each) => each.slug === slug);
}

/** Name a submission in an address, as short as finds it again. */
function toSlug(all: readonly Submission[], submission: Submission | undefined): string | undefined {
  const number = String(submission?.number);
  return findBySlug(all, number) === submission ? number : submission?.slug;
}

function listQuotes(verdict: Verdict | undefined): NamedQuote[] {
  return (verdict?.criteria ?? []).flatMap(({ text, evidence, evidence_spans: spans }, number) =>
    (evidence ?? []).map((quote, at) => ({
      id: nameQuote(text, at),
      slug: at === 0 ? `${number + 1}` : `${number + 1}.${at + 1}`,
      criterion: text,
      text: quote,
      spans: spans?.[at] as [number, number][],
    })),
  );
}

/** List the submissions that can be shown: those with a result; and the newest, where it failed and is explained. */
function listShown(submissions: readonly Submission[]): Submission[] {
  const newest = submissions.findLast(({ number, isLate }) => number !== null && !isLate);
  return submissions.filter((each) => each.resultVersion !== null || (each === newest && each.outcome === "FAILED"));
}

/** Read the log entry that holds a submission's result; meanwhile, the last one of the same submission stays. */
function useResultEntry(jobId: string, submission?: Submission): { entry?: JobLog; problem: Error | null } {
  const version = submission?.resultVersion ?? null;
  const { data, error } = useQuery({
    ...entryQuery(jobId, version ?? 0),
    enabled: version !== null,
    placeholderData: (before) => (before?.execution_id === submission?.executionId ? before : undefined),
  });
  return { entry: version === null ? undefined : (data ?? undefined), problem: error };
}
