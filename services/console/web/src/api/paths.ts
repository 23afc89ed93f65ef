import type { ComingPaths } from "./coming";
import type { paths } from "./schema";

/** Every path of the API: as the OpenAPI document has it, and what it does not have yet. */
export type Paths = Omit<paths, keyof ComingPaths> & ComingPaths;
