import type { Filter } from "@/jobs/fields";
import { type JobsSearch, valuesOf } from "@/jobs/list/search/jobs-search";
import { CreatedMenu } from "./CreatedMenu";
import { LabelMenu } from "./LabelMenu";
import { RangeMenu } from "./RangeMenu";
import { ValueMenu } from "./ValueMenu";

export type MenuProps = {
  search: JobsSearch;
  /** Changes the filters. Typing replaces the address, choosing adds to the history. */
  onChange: (change: Partial<JobsSearch>, replace?: boolean) => void;
  onClose: () => void;
};

/** Content of the menu of a field. */
export default function FilterMenu({ filter, ...props }: MenuProps & { filter: Filter }) {
  const { search, onChange, onClose } = props;
  const { word, kind } = filter;
  if (kind === "money" || kind === "span") return <RangeMenu {...props} filter={filter} />;
  if (kind === "time") return <CreatedMenu {...props} />;
  if (kind === "labels") return <LabelMenu {...props} />;
  const chosen = valuesOf(search, word);
  const choose = (value: string) => {
    const isTaken = chosen.includes(value);
    if (kind === "words") {
      const next = isTaken ? chosen.filter((each) => each !== value) : [...chosen, value];
      return onChange({ [word]: next.length > 0 ? next : undefined });
    }
    onChange({ [word]: isTaken ? undefined : value });
    onClose();
  };
  return <ValueMenu field={word} search={search} chosen={chosen} onChoose={choose} />;
}
