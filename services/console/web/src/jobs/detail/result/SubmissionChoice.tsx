import type { Submission } from "@/jobs/model/submissions";
import { Select } from "@/ui/controls/field";

type SubmissionChoiceProps = {
  all: readonly Submission[];
  shown: Submission | undefined;
  /** Those with which it can be compared, and the one with which it is. */
  others: readonly Submission[];
  other: Submission | undefined;
  onChoose: (key: string) => void;
  onCompare: (key: string) => void;
};

/** Choice of the submission that is shown, and of the one that it is compared with, where there are two. */
export function SubmissionChoice({ all, shown, others, other, onChoose, onCompare }: SubmissionChoiceProps) {
  if (!shown || all.length < 2) return null;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <SubmissionSelect label="Submission" value={shown.key} options={all} onChange={onChoose} />
      {other && (
        <>
          <span className="text-muted">against</span>
          <SubmissionSelect label="Compared with" value={other.key} options={others} onChange={onCompare} />
        </>
      )}
    </div>
  );
}

type SubmissionSelectProps = {
  label: string;
  value: string;
  options: readonly Submission[];
  onChange: (key: string) => void;
};

function SubmissionSelect({ label, value, options, onChange }: SubmissionSelectProps) {
  return (
    <Select aria-label={label} className="w-auto" value={value} onChange={(event) => onChange(event.target.value)}>
      {options.map(({ key, name }) => (
        <option key={key} value={key}>
          {name}
        </option>
      ))}
    </Select>
  );
}
