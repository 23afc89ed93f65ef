import { shortenId } from "@/lib/format";
import { CopyButton } from "@/ui/controls/copy-button";

/** Id of a thing in its head: as short as tells it apart, whole on hover, and to be copied. */
export function ThingId({ id }: { id: string }) {
  return (
    <span className="inline-flex items-center font-mono text-xs" title={id}>
      {shortenId(id)}
      <CopyButton text={id} label="Copy the id" className="size-6 pointer-coarse:-my-3" />
    </span>
  );
}
