import { type Place, splitAtPlaces } from "@/results/model/evidence";

type MarkedTextProps = {
  text: string;
  places: readonly Place[];
  /** Where the place in focus begins; undefined while it is not in this text. */
  current?: number;
};

/** Text with the places of its quotes marked. */
export function MarkedText({ text, places, current }: MarkedTextProps) {
  return splitAtPlaces(text, places).map(({ text: piece, from, id }) =>
    id === undefined ? (
      <span key={from}>{piece}</span>
    ) : (
      <mark
        key={from}
        aria-current={from === current || undefined}
        className="aria-current:outline-2 aria-current:outline-accent"
      >
        {piece}
      </mark>
    ),
  );
}
