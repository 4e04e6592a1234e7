/**
 * The rules by which pushes and prunes go on beside one another (doc/decisions/0013-retention.md). All of them hold; a test turns one off to see that it is
 * needed.
 */
export interface PruneRules {
  /** P1: a push counts on no pack that is condemned. */
  readonly avoidsCondemned: boolean;
  /** P2: a push looks again between index and head, and after the head. */
  readonly looksAgain: boolean;
  /** P3: a push that was cut off after its head is done again. */
  readonly remembersUnsettled: boolean;
  /** P4: what a condemned pack has is sent under another name: a deletion that is late must not hit it. */
  readonly givesNewNames: boolean;
  /** P5: what only condemned packs have, and a head needs, is packed anew before any is deleted. */
  readonly rescues: boolean;
  /** P6: a pack is deleted only when every live head is newer than its condemning. */
  readonly waitsForHeads: boolean;
  /** P7: packs are condemned for a while at least: a writer without a head is not waited for. */
  readonly waitsAWhile: boolean;
  /** P8: a condemned list outlives its packs as long as a head may be silent. */
  readonly keepsLists: boolean;
  /** P9: what any head keeps is kept. */
  readonly asksAllHeads: boolean;
}

export const pruneRules: PruneRules = {
  avoidsCondemned: true,
  looksAgain: true,
  remembersUnsettled: true,
  givesNewNames: true,
  rescues: true,
  waitsForHeads: true,
  waitsAWhile: true,
  keepsLists: true,
  asksAllHeads: true,
};
