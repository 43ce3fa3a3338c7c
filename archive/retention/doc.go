// Package retention decides which snapshots of an archive are kept. It is a pure function
// of plain values: it does no I/O, knows no clock and removes nothing.
//
// # Retention
//
// A policy is a set of rules. Each rule keeps what it names, whatever the others say, and a
// snapshot that no rule names is to be removed.
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
// Some are kept under every policy:
//
//	newest       the newest snapshot that can be read and is not hollow
//	newest good  the newest snapshot with which nothing is wrong
//	held         a snapshot with a hold, until it is released
//	unreadable   a snapshot whose manifest cannot be read
//	hollow       a hollow snapshot, while it is not older than the oldest that is kept
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
// "Newest" and "last" go by the sequence number and never by the time, since clocks jump
// back. The time says only which hour, day, week, month or year (the slot) a snapshot
// belongs to, and what is within. Slots are those of the calendar in the policy's time
// zone: a day is as long as it is there, also when clocks change, and the hour that comes
// twice in autumn is two. One slot is later than another if its newest snapshot is.
// After a clock has jumped, snapshots far apart can so share a slot.
//
// Nothing depends on today's date. Slots without snapshots are not counted, so an archive
// that got no snapshots for a year loses none to its next prune: daily 14 keeps 14 days
// with snapshots, however far back they lie.
//
// # Damaged and incomplete snapshots
//
// A snapshot is good if it is neither damaged nor incomplete nor unreadable nor hollow. The
// caller states which are incomplete: those without a tail (the file that was still being written)
// in an archive whose snapshots have tails. Where tails are never kept, to be without one
// is normal and such a snapshot is good.
//
// What is not good never takes the place of what is. Every rule with a number N therefore
// counts twice:
//
//   - of the last N slots with a good snapshot, it keeps the newest good one. Snapshots
//     that are not good do not count here, however many come after it;
//   - of the last N slots of any kind, it keeps the newest snapshot where the slot has
//     no good one: it may be all there is of that time.
//
// For last, each snapshot is a slot of its own. So a rule keeps at most 2N snapshots, and
// just N where all are good. A slot's damaged snapshot is removed, newer though it is,
// once no rule needs it beside the slot's good one.
//
// Held snapshots count like others. Unreadable ones count nowhere: their time is unknown.
// The newest snapshot, to which within is relative, is the newest that can be read and is
// not hollow.
//
// # Hollow snapshots
//
// The caller states which snapshots are hollow: empty ones, and those that lost most of
// what was there before and hold nothing new. An attacker who may create objects, but not
// delete any, could add such snapshots until a rule with a number holds nothing else, and
// the next prune would remove the true history.
//
// A hollow snapshot therefore fills no slot, and no rule counts it. It stays until it is
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
// A Limit bounds how many snapshots a prune may remove that no person looks at. Policy.Lost
// counts: of the snapshots that the prune before kept, those that the policy removes now
// and that the course of time does not explain. What came later does not count, and neither
// does a snapshot whose slot went to a later one that was also made later. So a prune that
// runs on schedule with the same policy loses none, however many snapshots were made since.
// A stricter policy counts, and so do snapshots that claim an earlier time than they came.
//
// # What can be relied on
//
//   - Of what was kept nothing is removed when the same policy is applied again.
//   - A policy with greater numbers or a longer within keeps what the smaller one kept, and more.
//   - A newer snapshot never makes another be kept that would have been removed before.
//     The one exception is a newest snapshot with an earlier time than the one before it,
//     whose within reaches back further; it errs on the side of keeping.
//   - If time never ran backwards, to prune often and to prune once comes to the same.
package retention
