// Package manifest is the archive format of strongroom, byte for byte: types, keys, a
// strict codec, pages, the hash chain and the rules for names. It does no I/O and knows
// no clock. What follows is the format itself, which is normative for the code below.
//
// # Archive format, version 1
//
// What lies in the bucket. This page is the contract: anyone must be able to restore
// from it with curl, jq, zstd and sha256sum, without our program. Whatever the code does
// that this page does not say is a bug in one of the two. The project carries its own
// copy of it as docs/format.md and as the package comment of manifest/.
//
// An archive is everything below one prefix in one bucket: the history of one node's log
// files. Its address is a URL: s3://bucket/orders/node-1?region=…, gs://…, azblob://…,
// file:///backups/orders/node-1, mem://.
//
//	archive.json                                        who this archive belongs to; created once
//	manifests/000/000/042.json                          snapshot 42: one immutable manifest object
//	data/<log file name>/<sha256>-000000042[.zst][.<r>.age]   one version of a log file (or a stretch of it), stored for snapshot 42
//	bundles/<sha256>-000000042                          many small ones, end to end in one object
//	pages/<sha256>-000000042.jsonl.zst                  a run of file entries, shared by later manifests
//	ledger/000/000/007.json                             which snapshots are kept and which are held, since prune or hold number 7
//	proofs/<utc time>-<kind>-<random>.json              what a verify or a drill found
//	probe/<random>/…                                    of strongroom check, which deletes it again; no part of the archive
//
// Rules that hold for every object:
//
//  1. Create-only. Every object is written with the provider's atomic create-if-absent.
//     Nothing is ever overwritten, and only prune deletes. "It exists already" is
//     success when the existing object is what we were about to write, and an error (or,
//     for a manifest or a ledger record, a lost race) when it is not.
//  2. The manifest is the commit. A snapshot exists when its manifest object exists, and
//     at no time before. The manifest is written last, after every object that it names
//     has been stored and acknowledged with a checksum that we promised. A crash
//     before that leaves only unreferenced objects under the next sequence number, which
//     the next run, aiming at the same number, adopts.
//  3. Names tell the truth. The 64 hex digits in a data/ or pages/ key are the SHA-256
//     of the plain content (before compression and encryption), those in a bundles/ key
//     of the stored bytes. The nine digits are the sequence number of the snapshot that
//     the object was stored for. <r> is the first 8 hex digits of the SHA-256 of the
//     sorted recipients, one a line: other recipients, other object. For the same number
//     the same content is stored once: "exists" then means the same plain content. When
//     the stored bytes cannot be compared (compressed or encrypted), the existing object
//     is read back once, to learn its stored sums, before it is adopted.
//  4. The ledger says which snapshots there are. Its record with the greatest number
//     counts, and no other. It names the newest manifest of its time and every snapshot
//     that was kept up to there, with the hash of its manifest and whether it is held. A
//     snapshot is valid if its number is above the ledger's newest, or if the ledger
//     names it with that hash. (With no ledger, all are.) So a manifest that a writer,
//     suspended for a month, creates at last under a number that was pruned meanwhile is
//     void: nobody lists it, the next prune removes it. Prune, hold and release each
//     write one record, planned from the record before it; who loses the race for the
//     number plans again; after writing, each looks whether its record is the greatest,
//     or the parent of what followed, and otherwise starts over. A prune deletes only
//     after that. Whoever reads a record lists the ledger again afterwards, and begins
//     again if it is not the greatest any more: it may be one that somebody created late,
//     under the number of one that was deleted. A backup looks after its commit whether
//     its snapshot is valid, and otherwise starts over. What is listed, copied, or
//     reported as unchanged is judged by the ledger as it is after its manifest was read.
//  5. Numbers decide who may delete, never clocks. A backup aims at the number after the
//     greatest that it knows of, keeps only what the newest valid manifest N names, and
//     that only if it aims at N plus one (else it stores everything under the number that
//     it aims at), and stores the rest under that number; if another writer takes the number, it plans again from
//     the new newest. N is always kept. Hence no manifest above N can name an object
//     with a number up to N that N does not name, and a prune whose record says newest N
//     deletes the manifests up to N that it does not keep, and then whatever bears a
//     number up to N and is named by no manifest that it keeps. What bears a higher
//     number belongs to a snapshot in the making and is left alone. No grace period, no
//     lock, no common clock; a prune that was suspended may simply go on. copy only
//     appends: manifests above the target's newest, in ascending order, each after its
//     objects. It refuses a manifest that names something with a number up to the
//     target's newest that this one does not name.
//  6. No local truth. The bucket alone is enough to list, restore, verify, prune and go
//     on backing up. A local state directory, where there is one, is a cache and a
//     witness (it remembers the newest manifest's number and hash, and shouts when that
//     one has gone or changed); deleting it loses nothing.
//
// # archive.json
//
//	{"format":"strongroom/1","id":"<UUIDv4>","created":"<RFC 3339 UTC>","layout":"je"}
//
// The layout of the source is fixed for the life of the archive; a source with another
// layout is refused.
//
// # Manifest
//
// Key: the sequence number, nine digits, split in three (manifests/000/000/042.json), so
// that the newest is found with three small delimiter listings however long the history
// is, and so that two archivers racing for one sequence number collide on create-only:
// exactly one wins, the other re-reads and plans anew. Sequence numbers start at 1; the
// next is one more than the greatest seen anywhere (manifests, ledger, local witness);
// pruning leaves gaps below, never above. The parent's hash is of the parent object's
// bytes as stored, so no canonical form is needed.
//
// JSON, UTF-8, one object. Field order is part of the format: everything a listing shows
// comes first, in the first 4 KiB, so that list reads 4 KiB of each manifest by range;
// pages and files come last.
//
//   - format: "strongroom/1"; an unknown major version is refused with a clear error
//   - archive: the archive's id
//   - sequence: integer ≥ 1; must equal the key
//   - created: when the capture was consistent, RFC 3339 UTC, nanoseconds
//   - parent: {"sequence":41,"sha256":"<of the parent's bytes>"} or null: a hash chain,
//     so that a rewritten or removed past shows
//   - node, tool: host or configured node name; program name and version
//   - layout: layout name, as in archive.json
//   - consistent_through: name and size of the last log file that the snapshot holds:
//     {"name":"0000002a.jdb","size":123}
//   - counts: files, bytes, stored_bytes of the whole set; added, added_bytes: content
//     stored for this snapshot; removed: names in the parent and not here; changed:
//     closed in both under one name with other content; damaged: in the set
//   - duration_ms: from capture to commit
//   - pages: null, or references {"object","sha256","stored","count","first","last"} in
//     name order
//   - files: file entries in name order; empty when pages is used
//
// A file entry:
//
//   - name: path below the source, /-separated; validated (see below)
//   - size, modified: of the plain file; modified is RFC 3339 UTC with nanoseconds
//   - sha256: of the plain content
//   - parts: where the content lies: one part for a closed file; for a tail, one for
//     each stretch that was appended between snapshots. The parts' plain contents end to
//     end are the file
//   - snapshot: the sequence that first held this content
//   - state: "closed", or "tail": the beginning, up to the last whole valid entry, of
//     the file that the database was still writing (all of it, marked damaged, where
//     entries that were whole in an earlier snapshot, or that were to become whole, are
//     not); size and sha256 are of that beginning
//   - check: null, or {"by":"je","entries":n,"result":"ok"};
//     "result":"damaged","at":offset,"why":"…" when the log's own entry checksums did
//     not hold. A damaged file is archived all the same (it may be all there is),
//     counted in counts.damaged and reported loudly. Beside them, each only if it is
//     not 0: last, the offset of the last whole valid entry, and previous, by the file's
//     header the offset of the last entry in the file before it: where numbers are
//     neighbours, the one's last is the other's previous; invisible and erased, the
//     entries that the database rolled back or erased in place
//
// A part:
//
//   - object: key below the archive of a data object or bundle
//   - size, sha256: of the part's plain content
//   - encoding: "", "zstd", "age" or "zstd+age" (compressed, then encrypted)
//   - stored: {"size":n,"sha256":"…","crc32c":"…"[,"md5":"…"][,"offset":n]} of the
//     stored bytes, all in lower-case hex; when nothing was encoded, stored.sha256 is
//     omitted (it is sha256). md5 only where the provider holds no other checksum
//     (Azure); offset only in a bundle: where the part's stored bytes begin
//
// Tails. A log grows only at its end, so a snapshot stores just what was appended since
// the last one: the parent's parts are kept and one part is added, from the end of the
// last whole entry then to the end of the last whole entry now. When the file is closed
// it is stored once more, whole, as one part; a tail of more than 64 parts likewise. So
// being seconds behind the database costs the bytes that it writes, at most twice.
//
// Bundles. Parts whose stored size is at most 256 KiB, when one snapshot adds more than
// 16 of them, are stored end to end in name order in bundles of at most 16 MiB, each
// part encoded by itself, so that one ranged read gives one part. A bundle lives as long
// as any kept manifest names it. Every reader understands bundles from the first version
// on.
//
// Pages. Up to 250 entries stand in files. Beyond that the list is cut into pages of 250
// to 1,000 entries in name order, each stored once under its own hash as zstd-compressed
// JSON Lines. A new snapshot keeps every page of its parent in which nothing changed, so
// that its cost follows what changed and not what exists.
//
// # Ledger record
//
// Key as for manifests. JSON: format, archive, number, parent ({"number","sha256"} or
// null), created, why ("prune --keep-last 96", "hold 41"), newest, kept:
// [{"sequence","sha256"[,"held":"why"]}] in ascending order, removed: sequences that
// this record drops. Writing the record is what removes a snapshot; deleting objects
// afterwards is cleaning, which any later prune finishes. Records below the greatest may
// be deleted by a prune. What the record before says already needs no new one. A copy
// writes one, by which nothing is dropped, when it has a snapshot whose parent was pruned
// before it could be copied: that says that it was never there.
//
// # Proof
//
// Key: when what it tells of began, the kind, and random digits. JSON: format, archive,
// kind ("verify", "read", "drill"), created, duration_ms, node, tool, outcome ("ok",
// "failed"), and by kind: of verify and read snapshots, objects, bytes, read_objects,
// read_bytes; of verify problems: [{"object","what","detail","snapshots"}], at most
// 10,000; of read, when each object that is still needed was last read back and found
// good, read: [{"at","objects"}], objects being the first six bytes of the SHA-256 of each
// key, one after the other, in base64 without padding; of drill snapshot, command, and
// why it failed. What an earlier verify found wrong with the content of an object stays
// until that object was read back. A proof has at most 64 MiB. Who cannot read one, or
// does not know its version, goes by the one before.
//
// # Names
//
// In keys, every byte of a log file name outside [A-Za-z0-9._=-] and / is
// percent-encoded; the manifest holds the real name. A log file name is refused (when
// capturing, and again when decoding a manifest, before anything is written) if it is
// empty, absolute, has an empty, . or .. element, a backslash, a NUL or control
// character, is not valid UTF-8, has an element longer than 200 bytes once encoded or is
// longer than 512 once encoded, has an element of 64 hex digits, alone or followed by a
// hyphen (it would look like an object), is a directory of another, or occurs twice (also
// when only letter case differs). Sizes are 0 or more and at most 5 TiB; hashes have exactly their length; unknown fields are ignored within the
// same major version, missing ones are an error.
//
// # Fine print
//
//   - The hash in a data/ key is the part's; percent-encoding uses upper-case hex; node
//     is at most 255 bytes. A grown tail counts as added, not as changed.
//     consistent_through names the last file in the layout's order, null where there is
//     none.
//   - Limits of version 1, which readers hold to before they allocate anything: format is
//     exactly "strongroom/1"; node, tool, layout and every other text that listings print
//     have no control characters, the first three 1 to 255 bytes; the fields up to
//     duration_ms come first and in the order of the table; a manifest or ledger record
//     has at most 32 MiB, a page 16 MiB plain and as stored, archive.json 4 KiB; at most
//     1,000 recipients; unknown fields nest at most 32 deep. The lines that <r> is the
//     hash of end in a newline each, the last one too.
//   - Only who has seen a manifest whole can compare its hash with the ledger's: a
//     listing, which reads 4 KiB of each, goes by the number.
//   - The chain hashes bytes as they are stored; a writer that retries sends exactly the
//     same bytes, and "exists" on a manifest or record is settled by reading it and
//     comparing. parent is the newest valid manifest as found, also if it cannot be
//     decoded; planning then uses the newest readable one.
//   - Where a bucket keeps versions, the object is the oldest version of its key
//     (create-only makes every later one an intruder), also behind a delete marker;
//     prune deletes versions.
//   - Where objects are locked, a commit first extends the lock of what it reuses to its
//     own.
//   - An object that the latest proof names missing or damaged counts as absent when
//     planning: it is stored afresh under the new number. verify --repair puts back
//     missing objects with identical bytes (from a copy or, where nothing was encoded,
//     from the source or another archive of the same database); a damaged one is deleted first, the sole exception to rule 1.
//     What cannot be mended is named, with its snapshots.
//   - After a lost race the source is captured again, never an old capture committed.
//   - A source is foreign (exit 5, --take-over to go on) if node differs from the newest
//     manifest's, or no closed file that both have agrees in hash. A missing or shorter
//     tail is a warning; a missing range of closed files at the end is a rollback.
//   - A created over 5 minutes after the provider's time for the manifest counts as that
//     time, in retention and in @TIME.
//   - Prune deletes nothing while a kept manifest has a field that it does not know.
//     prune --forget N drops an unreadable manifest by a record.
//   - Plain copy keeps every byte and the archive's id; a re-encrypting copy is a new
//     archive with a new id and chain, numbered without gaps, and says in each tool
//     where it came from: "… from <id>@<number>". With two
//     destinations each is an archive of its own.
//   - If archive.json is missing and manifests exist, the id is theirs; never a new one.
//     Unencrypted parts name no recipients; age headers do not tell who can read, so the
//     manifest's recipients (a list, before pages) does.
//   - recipients are all to whom any part of the snapshot is encrypted. After a change
//     of keys that is more than the recipients of one part, of which the key says the
//     hash, <r>; a bundle's key says nothing of it.
//   - Encrypted parts of a bundle never get the same bytes twice: a bundle of a run that
//     was broken off is not adopted but stored again, and the next prune removes the
//     first.
//   - The newest snapshot cannot be forgotten.
//   - Proofs older than the last three of their kind and older than a year are removed
//     by prune.
//
// # Restore by hand
//
//	aws s3 cp s3://bucket/orders/manifests/000/000/042.json - | jq -r '.files[] | .name as $n | .parts[] | [$n, .object, .encoding, .sha256] | @tsv'
//	aws s3 cp s3://bucket/orders/<object> - | zstd -d >> <name>      # each part in turn; without zstd where encoding is empty
//	sha256sum <name>                                                 # is the file entry's sha256
package manifest
