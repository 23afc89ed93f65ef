/** Bounds of what the page shows of a hostile or huge result at once. Downloads are whole. */
export const TEXT_SHOWN_CHARS = 4_000;
export const TEXT_MAX_CHARS = 500_000;
export const MARKDOWN_MAX_CHARS = 150_000;
/** Brackets and marks of emphasis: so many cost the parser less than a second. */
export const MARKDOWN_MARKS_MAX = 4_000;
export const MARKDOWN_DEPTH_MAX = 100;
export const TABLE_ROWS_SHOWN = 100;
export const TABLE_COLUMNS_MAX = 30;
export const TREE_CHILDREN_SHOWN = 100;
export const STRING_SHOWN_CHARS = 300;
/** Values of a result that are searched for a quote. */
export const SEARCHED_VALUES_MAX = 100_000;
export const DIFF_MAX_CHARS = 200_000;
export const DIFF_TIMEOUT_MS = 500;
/** Lines that replace others, together, are compared by word up to this length. */
export const DIFF_WORDS_MAX_CHARS = 20_000;
/** Lines drawn of those that were added, removed or kept in a row. */
export const DIFF_LINES_SHOWN = 2_000;
/** Unchanged lines shown next to a change. */
export const DIFF_AROUND_LINES = 3;
export const QUOTES_MAX = 50;
/** Places shown of one quote. */
export const PLACES_MAX = 20;
