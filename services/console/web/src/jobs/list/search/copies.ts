import { buildCommand, buildCurl, copyOfLink } from "@/api/copies";
import { toOption } from "@/lib/shell";
import type { Copy } from "@/ui/overlays/copy-menu";
import { type JobsSearch, parseLabel, toJobsQuery } from "./jobs-search";

/** What the list can be copied as; where the filter is not understood there is only the link. */
export function copiesOfList(search: JobsSearch): Copy[] {
  const labels = [...(search.label ?? []), ...(search.notLabel ?? [])];
  const hasCommand = labels.every((label) => !parseLabel(label)[0].includes("=")); // there `=` ends the name
  return [
    copyOfLink,
    ...(search.unknown
      ? []
      : [{ words: "curl", make: () => buildCurl("/api/jobs", { query: toJobsQuery(search, Date.now()) }) }]),
    ...(search.unknown || !hasCommand ? [] : [{ words: "CLI", make: () => buildCommand(toArguments(search)) }]),
  ];
}

/** Arguments of `signoff jobs list`, whose options are named like REST's parameters but for one (test_cli_options.py); a period stays one. */
function toArguments(search: JobsSearch): string[] {
  const { cancelled, ...query } = {
    ...toJobsQuery(search, Date.now()),
    ...(search.period && { created_after: search.period }),
  };
  const options = Object.entries(query).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((each) => toOption(nameOption(name), toValue(name, String(each)))),
  );
  return ["jobs", "list", ...options, ...(cancelled == null ? [] : [cancelled ? "--cancelled" : "--not-cancelled"])];
}

const nameOption = (param: string) =>
  param === "reason" ? "--waiting-for" : `--${param.replace(/_id$/, "").replaceAll("_", "-")}`;

const toValue = (name: string, value: string) => (/label$/.test(name) ? parseLabel(value).join("=") : value);
