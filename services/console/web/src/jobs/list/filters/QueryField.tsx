import { useQuery } from "@tanstack/react-query";
import { Search, X } from "lucide-react";
import { type KeyboardEvent, lazy, type RefObject, Suspense, useEffect, useId, useRef, useState } from "react";
import { agentsQuery } from "@/api/agents";
import { isFiltered, type SearchProps, TEXT_MAX } from "@/jobs/list/search/jobs-search";
import { isQuery } from "@/jobs/list/search/split-query";
import { cn } from "@/lib/cn";
import { loadPart } from "@/lib/load-part";
import { useDraft } from "@/lib/use-draft";
import { Button } from "@/ui/controls/button";
import { Input } from "@/ui/controls/field";
import { toIntlZone, useZone } from "@/ui/display/time";

/** Read when the field first has the focus. */
const loadParser = () => loadPart(() => import("@/jobs/list/search/parse-query"));
const Suggestions = lazy(() => loadPart(() => import("@/jobs/list/filters/menus/Suggestions")));

const QUERY_MAX = 1_000;

type QueryFieldProps = SearchProps & {
  /** What is to be typed on, as by somebody. */
  typed?: { query: string };
  onClear: () => void;
  inputRef: RefObject<HTMLInputElement | null>;
};

/**
 * Field of what is searched for. Words take effect while they are typed; a query such as `status:failed cost>0.1` with
 * Enter, or when the field is left: its fields become filters, and its words stay.
 */
export function QueryField({ search, typed, onChange, onClear, inputRef }: QueryFieldProps) {
  const id = useId();
  const zone = toIntlZone(useZone()[0]);
  const agents = useQuery(agentsQuery).data ?? [];
  const [parser, setParser] = useState<Awaited<ReturnType<typeof loadParser>>>();
  const [hasFocus, setFocus] = useState(false);
  const [active, setActive] = useState<string>();
  /** Handles a key for the suggestions; returns whether it did. */
  const onSuggestionKey = useRef<((event: KeyboardEvent) => boolean) | null>(null);
  const parse = (text: string) => parser?.parseQuery(text, { before: search, agents, now: Date.now(), zone });
  const check = (text: string) => {
    if (!isQuery(text)) return text.trim().length > TEXT_MAX ? `Search for ${TEXT_MAX} characters at most.` : null;
    const parsed = parse(text);
    return parsed ? (parsed.problem?.message ?? null) : "Reading the query …"; // committed as soon as it can be read
  };
  const commit = (text: string) => {
    if (!isQuery(text)) return onChange({ text: text.trim() || undefined }, true);
    const parsed = parse(text);
    if (!parsed || parsed.problem) return;
    draft.reset(parsed.search.text ?? "");
    onChange(parsed.search);
  };
  const draft = useDraft({ name: "query", value: search.text ?? "", onCommit: commit, check, isWhole: isQuery });
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (onSuggestionKey.current?.(event)) return;
    draft.onKeyDown(event);
    const { problem } = (event.key === "Enter" && isQuery(draft.text) && parse(draft.text)) || {};
    if (problem) event.currentTarget.setSelectionRange(problem.from, problem.to);
  };
  const take = (text: string) => {
    draft.onChange(text);
    inputRef.current?.focus();
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each query
  useEffect(() => {
    if (typed) take(`${draft.text} ${typed.query}`.trim());
  }, [typed]);
  const isSuggesting = hasFocus && draft.isTyping && active !== undefined;
  return (
    <div className="relative min-w-52 grow basis-52 max-sm:min-w-0">
      <Search aria-hidden size={14} className="absolute top-2.25 left-2 text-muted pointer-coarse:top-3.75" />
      <Input
        ref={inputRef}
        type="text"
        role="combobox"
        aria-label="Search jobs"
        aria-autocomplete="list"
        aria-expanded={isSuggesting}
        aria-controls={isSuggesting ? `${id}-list` : undefined}
        aria-activedescendant={isSuggesting && active !== "" ? active : undefined}
        aria-invalid={draft.error ? true : undefined}
        aria-describedby={draft.error ? `${id}-error` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder="Search, or status:failed cost>0.1  /"
        maxLength={QUERY_MAX}
        className={cn("pl-7", isFiltered(search) && "pr-8 pointer-coarse:pr-11")}
        value={draft.text}
        onFocus={() => {
          setFocus(true);
          void loadParser().then(setParser);
        }}
        onChange={(event) => draft.onChange(event.target.value)}
        onBlur={() => {
          setFocus(false);
          draft.onBlur();
        }}
        onKeyDown={onKeyDown}
      />
      {isFiltered(search) && (
        <Button
          kind="quiet"
          size="icon"
          aria-label="Clear the filters"
          title="Clear the filters"
          className="absolute top-0 right-0"
          onClick={onClear}
        >
          <X aria-hidden size={14} />
        </Button>
      )}
      {hasFocus && draft.isTyping && (
        <Suspense fallback={null}>
          <Suggestions
            id={`${id}-list`}
            text={draft.text}
            search={search}
            onTake={take}
            onActive={setActive}
            onKeyRef={onSuggestionKey}
          />
        </Suspense>
      )}
      {draft.error && (
        <p id={`${id}-error`} role="alert" className="mt-1 text-xs text-failed wrap-anywhere">
          {draft.error}
        </p>
      )}
    </div>
  );
}
