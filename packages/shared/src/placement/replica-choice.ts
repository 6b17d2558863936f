/** What decides between the replicas of an expert at dispatch, and where dispatch is simulated. */

/**
 * What it costs to have one more worker in a row's sum, in active experts: a message where it had none yet, which is
 * the more expensive the fewer rows share it, and a row in a message that is sent anyway.
 */
export const MESSAGE_COST = 1.5;
export const ROW_COST = 0.1;

/**
 * How far what a worker had lately, beyond the one that had least, counts: by this share, and as at most so many active
 * experts. It breaks ties, and evens out over time what the balance of each call leaves: on recorded routes of 8
 * workers with 8 redundant experts, balancedness of pairs is 0.98 over 7,500 rows and 0.96 over 1,000, for 0.3 % of the
 * step time; with 0.02 and 3 it was 0.94 over 1,000.
 */
export const RECENT_SHARE = 0.2;
export const MAX_RECENT_COST = 30;

/** What a layer's call counts for after each further one: evens out over some hundred calls. */
export const KEPT_PER_CALL = 0.99;
