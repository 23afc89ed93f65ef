import { PageLinks } from "@/ui/display/PageLinks";

const QUALITY_PAGES = [
  { to: "/quality", name: "Accepted", isExact: true },
  { to: "/quality/judges", name: "Judges" },
  { to: "/quality/evaluations", name: "Evaluations" },
  { to: "/quality/try", name: "Try a judge" },
] as const;

/** Way from a page of quality to its others. */
export function QualityPages() {
  return <PageLinks label="Quality" pages={QUALITY_PAGES} />;
}
