import { useState } from "react";
import { fromWallTime, toWallTime } from "@/lib/wall-time";
import { Select } from "@/ui/controls/field";
import { toIntlZone, useZone } from "@/ui/display/time";
import { type JobsSearch, PERIODS, type Period } from "./jobs-search";
import { TextFilter } from "./TextFilter";

type TimeFilterProps = { search: JobsSearch; onChange: (change: Partial<JobsSearch>, replace?: boolean) => void };

const EXACT = "exact";
const NO_TIME = { period: undefined, from: undefined, to: undefined };

/** Filter by creation: a period until now, or exact times in the chosen zone. */
export function TimeFilter({ search, onChange }: TimeFilterProps) {
  const { period, from, to } = search;
  const [isExactShown, setExactShown] = useState(Boolean(from || to));
  const zone = toIntlZone(useZone()[0]);
  const isExact = Boolean(from || to) || (isExactShown && !period);
  const choose = (choice: string) => {
    setExactShown(choice === EXACT);
    if (choice !== EXACT || period) onChange({ ...NO_TIME, ...(choice in PERIODS && { period: choice as Period }) });
  };
  const set = (time: Pick<JobsSearch, "from"> | Pick<JobsSearch, "to">) => {
    setExactShown(true);
    onChange({ period: undefined, ...time }, true);
  };
  const check =
    (other: string | undefined, isOrdered: (moment: number, other: number) => boolean) => (text: string) => {
      const moment = fromWallTime(text, zone);
      if (text === "") return null;
      if (moment === undefined) return "Enter a date and a time.";
      return !other || isOrdered(Date.parse(moment), Date.parse(other)) ? null : "It ends before it begins.";
    };
  const words = zone ?? "local time";
  return (
    <>
      <Select
        aria-label="Created"
        className="w-36 max-sm:grow"
        value={isExact ? EXACT : (period ?? "")}
        onChange={(event) => choose(event.target.value)}
      >
        <option value="">Any time</option>
        {Object.keys(PERIODS).map((each) => (
          <option key={each} value={each}>
            Last {each}
          </option>
        ))}
        <option value={EXACT}>From – to</option>
      </Select>
      {isExact && (
        <>
          <TextFilter
            name={`Created from (${words})`}
            type="datetime-local"
            className="w-48"
            value={from ? toWallTime(from, zone) : ""}
            check={check(to, (moment, end) => moment < end)}
            onType={(text) => set({ from: fromWallTime(text, zone) })}
          />
          <TextFilter
            name={`Created before (${words})`}
            type="datetime-local"
            className="w-48"
            value={to ? toWallTime(to, zone) : ""}
            check={check(from, (moment, begin) => moment > begin)}
            onType={(text) => set({ to: fromWallTime(text, zone) })}
          />
        </>
      )}
    </>
  );
}
