// Package retention decides which snapshots of an archive are kept. It is a pure function
// of plain values: it does no I/O, reads no clock and removes nothing.
//
// # Retention
//
// A policy is a set of rules. Each rule keeps the snapshots that it selects, independently of
// the others. A snapshot that no rule selects is removed.
//
//	rule       keeps
//	last N     the last N snapshots
//	hourly N   one snapshot of each of the last N hours that have any
//	daily N    one of each of the last N days that have any
//	weekly N   one of each of the last N weeks that have any (ISO weeks, from Monday)
//	monthly N  one of each of the last N months that have any
//	yearly N   one of each of the last N years that have any
//	within D   every snapshot made at most D before the newest one
//
// Some snapshots are kept under every policy:
//
//	newest       the newest snapshot that is readable and not hollow
//	newest good  the newest good snapshot
//	held         a snapshot with a hold, until it is released
//	unreadable   a snapshot whose manifest cannot be read
//	hollow       a hollow snapshot, unless it is older than the oldest that is kept
//
// For example, daily 3 and monthly 2 of an archive with a snapshot every noon:
//
//	snapshot  made              verdict
//	 58       2026-10-30 12:00  remove
//	 59       2026-10-31 12:00  monthly 2026-10
//	 60       2026-11-01 12:00  remove
//	 …                          remove
//	 79       2026-11-20 12:00  remove
//	 80       2026-11-21 12:00  daily 2026-11-21
//	 81       2026-11-22 12:00  daily 2026-11-22
//	 82       2026-11-23 12:00  newest, newest good, daily 2026-11-23, monthly 2026-11
//
// # Newest first
//
// "Newest" and "last" refer to the sequence number and never to the time, since clocks jump
// back. The time decides only which hour, day, week, month or year (the slot) a snapshot
// belongs to, and whether it is within the duration of within. Slots follow the calendar in
// the policy's time zone. So a day may be shorter or longer when clocks change, and the hour
// that occurs twice in autumn is two slots. One slot is later than another if its newest
// snapshot is. After a clock has jumped, snapshots far apart can share a slot.
//
// Nothing depends on today's date. Slots without snapshots are not counted, so an archive
// that got no snapshots for a year loses none to its next prune: daily 14 keeps 14 days
// with snapshots, regardless of their age.
//
// # Damaged and incomplete snapshots
//
// A snapshot is good if it is neither damaged nor incomplete nor unreadable nor hollow. The
// caller states which are incomplete: those without a tail (the file that was still being written)
// in an archive whose snapshots have tails. In an archive that never keeps tails, a snapshot
// without one is good.
//
// A snapshot that is not good never replaces a good one. Every rule with a number N therefore
// counts twice:
//
//   - of the last N slots with a good snapshot, it keeps the newest good one. Snapshots
//     that are not good do not count here, regardless of how many follow it;
//   - of the last N slots of any kind, it keeps the newest snapshot of each slot without
//     a good one: it may be the only snapshot of that time.
//
// For last, each snapshot is its own slot. So a rule keeps at most 2N snapshots, and exactly
// N if all are good. A slot's damaged snapshot is removed once no rule needs it in addition
// to the slot's good one, even if it is newer.
//
// Held snapshots count like others. Unreadable ones are not counted: their time is unknown.
// The newest snapshot, to which within is relative, is the newest that is readable and not
// hollow.
//
// # Hollow snapshots
//
// The caller states which snapshots are hollow: empty ones, and those that lost most of the
// earlier files and contain nothing new. An attacker who may create objects, but not delete
// any, could add hollow snapshots until they fill every rule with a number. The next prune
// would then remove the true history.
//
// A hollow snapshot therefore fills no slot, and no rule counts it. It is kept until it is
// older than the oldest snapshot that is kept for another reason: it may be the true state
// of that time. For example, last 2 of an archive to which an attacker added three:
//
//	snapshot  files  verdict
//	 39       100    remove
//	 40       100    last
//	 41       101    newest, newest good, last
//	 42       0      hollow: no files
//	 43       0      hollow: no files
//	 44       0      hollow: no files
//
// # Limit
//
// A Limit bounds how many snapshots an unattended prune may remove. Policy.Lost counts the
// snapshots that the previous prune kept, that the policy removes now, and whose removal the
// course of time does not explain. Two kinds of snapshots do not count: those made since, and
// those whose slot went to a later snapshot that was also made later. So a scheduled prune
// with the same policy loses none, regardless of how many snapshots were made since.
// Snapshots that a stricter policy removes count, and so do those whose slot went to a later
// snapshot that claims an earlier time.
//
// # Guarantees
//
//   - Applying the same policy again removes none of the snapshots that it kept.
//   - A policy with greater numbers or a longer within keeps at least what the smaller one kept.
//   - A newer snapshot never makes the policy keep a snapshot that it would have removed before.
//     The one exception is a newest snapshot with an earlier time than the previous one:
//     its within reaches back further, and more snapshots are kept.
//   - If time never ran backwards, pruning often and pruning once have the same result.
package retention
