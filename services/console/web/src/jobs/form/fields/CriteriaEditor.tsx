import { ArrowDown, ArrowUp, Plus, X } from "lucide-react";
import { type ClipboardEvent, type KeyboardEvent, useEffect, useRef } from "react";
import {
  type Criterion,
  changeCriterion,
  formatCriteria,
  moveCriterion,
  newCriterion,
  replaceFilled,
} from "@/jobs/form/model/criteria";
import { CriteriaLint } from "@/judging/CriteriaLint";
import { Button } from "@/ui/controls/button";
import { Checkbox, Input, Select } from "@/ui/controls/field";
import { announce } from "@/ui/feedback/announcer";

type CriteriaEditorProps = {
  value: Criterion[];
  onChange: (value: Criterion[]) => void;
  error?: string;
};

/** Editor of criteria, one a line: Enter adds one; Alt with arrows, or buttons, move one. They are looked through. */
export function CriteriaEditor({ value, onChange, error }: CriteriaEditorProps) {
  const list = useRef<HTMLOListElement>(null);
  const focusNext = useRef<string | null>(null);
  useEffect(() => {
    if (!focusNext.current) return;
    list.current?.querySelector<HTMLInputElement>(`[data-criterion="${focusNext.current}"]`)?.focus();
    focusNext.current = null;
  });
  const update = (next: Criterion[], focused?: string) => {
    focusNext.current = focused ?? null;
    onChange(next);
  };
  const move = (at: number, by: number) => {
    const next = moveCriterion(value, at, by);
    const id = value[at]?.id;
    update(next, id);
    announce(`Criterion ${next.findIndex((each) => each.id === id) + 1} of ${next.length}`);
  };
  const add = (at: number) => {
    const one = newCriterion();
    update(value.toSpliced(at, 0, one), one.id);
  };
  const remove = (at: number) => {
    const next = value.toSpliced(at, 1);
    const left = next.length > 0 ? next : [newCriterion()];
    update(left, left[Math.max(0, at - 1)]?.id);
  };
  return (
    <fieldset aria-describedby={error ? "criteria-error" : "criteria-hint"}>
      <legend className="mb-1 font-medium">Acceptance criteria</legend>
      <ol ref={list} className="space-y-1">
        {value.map((criterion, at) => (
          <CriterionLine
            key={criterion.id}
            criterion={criterion}
            place={at + 1}
            total={value.length}
            isWrong={error !== undefined}
            onText={(text) => update(changeCriterion(value, at, text))}
            onMark={(mark) => update(value.with(at, { ...criterion, ...mark }))}
            onMove={(by) => move(at, by)}
            onAdd={() => add(at + 1)}
            onRemove={() => remove(at)}
          />
        ))}
      </ol>
      {error && (
        <p id="criteria-error" className="mt-1 text-xs text-failed">
          {error}
        </p>
      )}
      <p id="criteria-hint" className="my-1 text-xs text-muted">
        The result is judged by each. Optional ones are judged and do not decide; what must not be there is marked
        never, and the judge looks for it. A check needs no judge and comes first: <code>max_words 200</code>,{" "}
        <code>contains "sea"</code>, <code>valid json</code>, <code>json_path $.total exists</code>. Alt+↑ and Alt+↓
        move a line.
      </p>
      <Button size="small" onClick={() => add(value.length)}>
        <Plus aria-hidden size={12} /> Add a criterion
      </Button>
      <div className="mt-2">
        <CriteriaLint text={formatCriteria(value)} onReplace={(place, by) => update(replaceFilled(value, place, by))} />
      </div>
    </fieldset>
  );
}

type CriterionLineProps = {
  criterion: Criterion;
  place: number;
  total: number;
  isWrong: boolean;
  onText: (text: string) => void;
  onMark: (mark: Partial<Pick<Criterion, "isOptional" | "kind">>) => void;
  onMove: (by: number) => void;
  onAdd: () => void;
  onRemove: () => void;
};

function CriterionLine({
  criterion,
  place,
  total,
  isWrong,
  onText,
  onMark,
  onMove,
  onAdd,
  onRemove,
}: CriterionLineProps) {
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const isEmpty = event.key === "Backspace" && criterion.text === "" && total > 1;
    if (event.altKey && by) onMove(by);
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) onAdd();
    else if (isEmpty) onRemove();
    else return;
    event.preventDefault();
  };
  const onPaste = (event: ClipboardEvent<HTMLInputElement>) => {
    const text = event.clipboardData.getData("text");
    if (!text.includes("\n")) return;
    event.preventDefault();
    const { selectionStart, selectionEnd, value } = event.currentTarget;
    onText(value.slice(0, selectionStart ?? 0) + text.trim() + value.slice(selectionEnd ?? value.length));
  };
  const icon = { kind: "quiet", size: "icon" } as const;
  return (
    <li className="flex flex-wrap items-center gap-1">
      <Input
        data-criterion={criterion.id}
        aria-label={`Criterion ${place}`}
        aria-invalid={isWrong || undefined}
        className="w-auto min-w-48 grow max-sm:w-full"
        value={criterion.text}
        onChange={(event) => onText(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
      />
      <label className="flex h-8 items-center gap-1.5 px-1 text-muted">
        <Checkbox
          aria-label={`Criterion ${place} is optional`}
          checked={criterion.isOptional}
          onChange={(event) => onMark({ isOptional: event.target.checked })}
        />
        optional
      </label>
      <Select
        aria-label={`Kind of criterion ${place}`}
        className="w-auto"
        value={criterion.kind}
        onChange={(event) => onMark({ kind: event.target.value })}
      >
        <option value="meets">shows</option>
        <option value="never">never</option>
        <option value="check">check</option>
      </Select>
      <Button {...icon} aria-label={`Move criterion ${place} up`} unavailable={place === 1} onClick={() => onMove(-1)}>
        <ArrowUp aria-hidden size={14} />
      </Button>
      <Button
        {...icon}
        aria-label={`Move criterion ${place} down`}
        unavailable={place === total}
        onClick={() => onMove(1)}
      >
        <ArrowDown aria-hidden size={14} />
      </Button>
      <Button {...icon} aria-label={`Remove criterion ${place}`} onClick={onRemove}>
        <X aria-hidden size={14} />
      </Button>
    </li>
  );
}
