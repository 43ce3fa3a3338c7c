// Package protocol holds a small model of how backups, prunes, holds, copies and repairs share an
// archive, and tests that go through every state that the model can reach. It has no code
// for the product; docs/protocol.md says how to run it. What follows is the protocol as it
// is modelled, each line one request (or several in any order), and
// anybody may be suspended between two lines for any time, or for ever. N is the newest
// valid snapshot.
//
// # Reading the ledger
//
//  1. List the ledger; the greatest number is g. None: every manifest is valid.
//  2. Read record g. If it is gone, begin again. If it cannot be read, take the one before as g.
//  3. List the ledger again. If the records from g on are not the same, begin again.
//
// If record g+1 exists, and so cannot be read, it may be a true one that was damaged: a backup
// keeps nothing, and a prune or hold stops. Records further above count for nothing.
//
// Without 3, what was read can be a record that was created late under the number of
// one that was deleted. A manifest is valid if its number is above the record's newest or
// the record keeps it with its hash.
//
// # Listing the manifests
//
// One that is further above all those that can be read than writers ever get counts for nothing.
// The next record says so in void, and the prune deletes it: no later snapshot has its number.
//
// # Backup
//
//  1. Read the ledger, then list the manifests. In this order: the other way round, the
//     ledger could tell of a newest that the listing does not have.
//  2. Read the newest valid manifest, the base. If it is gone, begin again.
//  3. Aim at the greatest number that was seen (manifests, the ledger's newest, the local
//     witness) plus one. Keep what the base names, and only that, and only if the aim is
//     the base's number plus one. Else (the newest cannot be read, the witness knows more
//     than the bucket) keep nothing and store everything under the number aimed at.
//  4. Put what is not kept. What lies under the key and this run did not put is read back. If it
//     is the same, it is adopted; else this run puts its own under another key with the same
//     number, which in the model is another object that the manifest names.
//  5. Create the manifest. Exists, and is another: begin again. Answer lost: read it; ours
//     is success, another's or none begins again.
//  6. Read the ledger. If it has dropped the new manifest, begin again; else report it.
//
// A backup that finds the base unchanged goes from 2 to 6, with the base.
//
// # Prune
//
//  1. Read the ledger (record g), then list the manifests.
//  2. Valid are those that record g keeps, and the listed ones above its newest; of these
//     read each, for its hash. If one is gone, begin again; if one cannot be read, stop.
//  3. Plan record g+1: newest is N; kept are N, what is held and what the retention keeps;
//     held is what record g holds. If that is what record g says, go on with 6 and record g.
//  4. Create record g+1. Exists, and is another: begin again. Answer lost: as for a manifest.
//  5. List the ledger. If the greatest is g+1, go on; if it is g+2, read that, as above: if its
//     parent is ours, go on. Else begin again.
//  6. Read every manifest that the record keeps and check its hash. If one cannot be read,
//     delete nothing: begin again if a later record has dropped it, else say so and stop.
//  7. Delete the manifests up to the record's newest that it does not keep; then the objects
//     with a number up to its newest that no manifest of 6 names; then the records below
//     it. The listings for this may be of any time.
//
// # Hold and release
//
// As prune, from 1 to 5, with all valid manifests kept, and the one snapshot held, or not
// held any more. A snapshot that is not valid cannot be held. It is reported only after 5.
//
// # Copy
//
//  1. Read the target's ledger, list its manifests, read its newest valid one, T.
//  2. List the source's manifests; the next is the lowest above T, or above the one that was
//     passed over last. None: done.
//  3. Read it. If it is gone, begin again; if it cannot be read, pass it over.
//  4. Read the source's ledger, now. If that has dropped the manifest, pass it over: it may be
//     one that was created late, and the target's ledger knows nothing of that.
//  5. Make sure that T names each object that the manifest names with a number up to T's. Else
//     the target is no copy of this archive: refuse.
//     If its parent is not T and the source's ledger has dropped it, write a record in the
//     target by which nothing is dropped, and which says that the parent is left out: it
//     changes nothing but what a verify expects, and is not modelled.
//  6. Read from the source the objects with a number above T's, by their stored sums, and put
//     them in the target. If one is gone, begin again.
//  7. Create the manifest in the target, with the same bytes. Exists, and is another: begin
//     again; so does a lost answer after which it is not there.
//  8. Read the target's ledger. If it has dropped the number, begin again; else the snapshot
//     is copied. Go on with 1.
//
// # Repair
//
//  1. Read the ledger, then everything that counts by it. Nothing is missing or damaged: done.
//  2. Have the right bytes, from a place that has them. What is missing goes on with 6.
//  3. Read what is damaged once more. If it is right by now, or gone, go on with 6.
//  4. If it is a manifest, and the ledger does not name the right one: write a record that does,
//     as a hold does, from 1 to 5 there. A manifest that was dropped by now stays dropped.
//  5. Delete it, on the condition that it still is what 3 has read. If it is not, the delete takes nothing
//     away, whenever it arrives. A store that ignores the condition takes away whatever is there then.
//  6. Create the object or manifest. Exists: it is the right one, or this begins again with 3
//     (an object), or with 1 (a manifest).
//  7. Read it. If it is not what was put back, begin again; else report it repaired.
//
// The model takes the reads of 1 and 3 as one step, the last before the delete.
//
// # List, and everybody who only reads
//
// Read the manifests, then the ledger; show what is valid by that. A ledger that was read
// before proves nothing about a manifest that was read after.
package protocol
