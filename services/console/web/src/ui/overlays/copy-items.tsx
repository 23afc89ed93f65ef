import { DropdownMenu as Radix } from "radix-ui";
import { type Copy, copyAs } from "./copy-menu";

/** Row of a menu: "Copy as link, id, curl, CLI", each by one click. */
export function CopyItems({ copies }: { copies: readonly Copy[] }) {
  return (
    <Radix.Group aria-label="Copy as" className="mt-1 flex items-center border-t pt-1">
      <span aria-hidden className="grow px-2 whitespace-nowrap text-muted">
        Copy as
      </span>
      {copies.map((copy) => (
        <Radix.Item
          key={copy.words}
          aria-label={`Copy as ${copy.words}`}
          onSelect={() => void copyAs(copy)}
          className="flex h-8 cursor-pointer items-center justify-center rounded px-2 text-sm outline-none data-highlighted:bg-sunken pointer-coarse:h-11 pointer-coarse:min-w-11"
        >
          {copy.words}
        </Radix.Item>
      ))}
    </Radix.Group>
  );
}
