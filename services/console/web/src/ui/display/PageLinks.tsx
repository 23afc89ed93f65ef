import { Link, type LinkProps } from "@tanstack/react-router";

type PageLinksProps = {
  label: string;
  pages: readonly { to: LinkProps["to"]; name: string; isExact?: boolean }[];
};

/** Way from a page of a place to its others. */
export function PageLinks({ label, pages }: PageLinksProps) {
  return (
    <nav aria-label={label} className="flex min-h-6 flex-wrap gap-x-4 pointer-coarse:min-h-11">
      {pages.map(({ to, name, isExact = false }) => (
        <Link
          key={to}
          {...({ to, search: {} } as LinkProps)}
          className="inline-flex min-h-6 items-center text-muted hover:text-text aria-[current=page]:font-medium aria-[current=page]:text-text pointer-coarse:min-h-11"
          activeOptions={{ includeSearch: false, exact: isExact }}
        >
          {name}
        </Link>
      ))}
    </nav>
  );
}
