import { Check } from "lucide-react";
import { type JobsSearch, PERIODS } from "@/jobs/list/search/jobs-search";
import { useDraft } from "@/lib/use-draft";
import { fromWallTime, toWallTime } from "@/lib/wall-time";
import { Button } from "@/ui/controls/button";
import { Field, Input } from "@/ui/controls/field";
import { toIntlZone, useZone } from "@/ui/display/time";
import type { MenuProps } from "./FilterMenu";

/** Menu of the time of creation: a period until now, or exact times in the chosen zone. */
export function CreatedMenu({ search, onChange, onClose }: MenuProps) {
  const { period, from, to } = search;
  const zone = toIntlZone(useZone()[0]);
  const choose = (chosen: string | undefined) => {
    onChange({ period: chosen, from: undefined, to: undefined });
    onClose();
  };
  const set = (time: Pick<JobsSearch, "from"> | Pick<JobsSearch, "to">) =>
    onChange({ period: undefined, ...time }, true);
  const check =
    (other: string | undefined, isOrdered: (moment: number, other: number) => boolean) => (text: string) => {
      const moment = fromWallTime(text, zone);
      if (text === "") return null;
      if (moment === undefined) return "Enter a date and a time.";
      return !other || isOrdered(Date.parse(moment), Date.parse(other)) ? null : "It ends before it begins.";
    };
  const words = zone ?? "local time";
  const isAny = !period && !from && !to;
  const own = period && !(PERIODS as readonly string[]).includes(period) ? [period] : [];
  return (
    <div className="w-56 space-y-1">
      {[undefined, ...PERIODS, ...own].map((each) => {
        const isChosen = each === undefined ? isAny : each === period;
        return (
          <Button
            key={each ?? "any"}
            kind="quiet"
            className="w-full justify-start px-2"
            aria-pressed={isChosen}
            onClick={() => choose(each)}
          >
            <Check aria-hidden size={14} className={isChosen ? "" : "invisible"} />
            {each === undefined ? "Any time" : `Last ${each}`}
          </Button>
        );
      })}
      <div className="space-y-2 border-t pt-2">
        <TimeField
          label={`Created from (${words})`}
          value={from ? toWallTime(from, zone) : ""}
          check={check(to, (moment, end) => moment < end)}
          onType={(text) => set({ from: fromWallTime(text, zone) })}
        />
        <TimeField
          label={`Created before (${words})`}
          value={to ? toWallTime(to, zone) : ""}
          check={check(from, (moment, begin) => moment > begin)}
          onType={(text) => set({ to: fromWallTime(text, zone) })}
        />
      </div>
    </div>
  );
}

type TimeFieldProps = {
  label: string;
  value: string;
  onType: (text: string) => void;
  check: (text: string) => string | null;
};

/** Field of a date and a time, which takes effect after a pause; says below why it is not valid. */
function TimeField({ label, value, onType, check }: TimeFieldProps) {
  const draft = useDraft({ value, onCommit: onType, check });
  return (
    <Field label={label} error={draft.error ?? undefined}>
      {(control) => (
        <Input
          {...control}
          type="datetime-local"
          value={draft.text}
          onChange={(event) => draft.onChange(event.target.value)}
          onBlur={draft.onBlur}
          onKeyDown={draft.onKeyDown}
        />
      )}
    </Field>
  );
}
