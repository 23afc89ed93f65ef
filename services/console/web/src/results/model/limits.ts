/** Bounds of what the page shows of a hostile or huge result at once. Downloads are whole. */
export const TEXT_SHOWN_CHARS = 4_000;
export const TEXT_MAX_CHARS = 500_000;
export const MARKDOWN_MAX_CHARS = 1_000_000;
/** The worker that parses or compares is ended after it: marks without end cost the square of their number. */
export const WORK_TIMEOUT_MS = 15_000;
/** So much of a long text is parsed first, and shown before the rest. */
export const BEGINNING_CHARS = 8_000;
/** Blocks that the worker hands over at once: no more than the page reads without keeping anybody waiting. */
export const BLOCKS_HANDED = 150;
/** Answers of the worker that are kept. */
export const ANSWERS_KEPT = 8;
/** Quotes, lists and emphasis within each other; what is deeper is drawn as text. */
export const NESTED_MAX = 20;
/** Elements, and so many characters as cost as much to draw, of a block: larger ones are drawn as several. */
export const BLOCK_WEIGHT_MAX = 120;
export const CHARS_PER_WEIGHT = 100;
export const CODE_COLOURED_CHARS = 50_000;
/** Fields of an object that are drawn each by itself. */
export const FIELDS_MAX = 200;
export const FACT_CHARS_MAX = 120;
export const TABLE_ROWS_SHOWN = 100;
export const TABLE_COLUMNS_MAX = 30;
export const TREE_CHILDREN_SHOWN = 100;
export const STRING_SHOWN_CHARS = 300;
/** Values of a result that are searched for a quote. */
export const SEARCHED_VALUES_MAX = 100_000;
/** Places that a search finds. */
export const SEARCHED_MAX = 1_000;
export const DIFF_TIMEOUT_MS = 1_000;
/** Blocks of which one replaces the other, together, are compared by word up to this length. */
export const DIFF_WORDS_MAX_CHARS = 20_000;
/** Pieces of a block that was changed: more are not read as words, and are elements each. */
export const DIFF_PIECES_MAX = 200;
/** Pairs of items of two lists that are compared. */
export const DIFF_ITEMS_MAX = 4_000_000;
/** Characters of the path of a value that differs. */
export const DIFF_PATH_CHARS = 500;
/** Elements, and characters as those of a block, drawn at first of what differs or stands next to it. */
export const DIFF_WEIGHT_SHOWN = 1_500;
/** Elements around what is drawn of a row. */
export const DIFF_ROW_WEIGHT = 10;
/** Unchanged blocks shown next to a change. */
export const DIFF_AROUND_BLOCKS = 3;
export const QUOTES_MAX = 50;
/** Places shown of one quote. */
export const PLACES_MAX = 20;
