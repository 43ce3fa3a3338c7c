package manifest

import "time"

// The values of the "format" field of the JSON objects in an archive. Format2 marks objects that
// name a key with a nonce, which version 1 does not have, and the archive.json of an archive whose
// first snapshot is encrypted.
const (
	Format  = "strongroom/1"
	Format2 = "strongroom/2"
)

// The limits of the format. A reader rejects objects that exceed them before it allocates memory
// by a size in the input.
const (
	MaxSequence      = 999_999_999 // nine digits in a key
	MaxCounted       = 500_000_000 // a manifest or record with a greater number counts for nothing
	MaxAhead         = 1000        // so does a manifest further above the greatest readable one
	MaxGap           = 10_000      // so does a manifest further above its parent and the ledger
	MaxFileSize      = 5 << 40     // 5 TiB, the largest object of S3
	MaxNodeBytes     = 255         // of "node", "tool" and "layout"
	MaxElementBytes  = 200         // of one element of an encoded name
	MaxNameBytes     = 512         // of a whole encoded name
	MaxTailParts     = 64          // a tail with more parts is stored again as one
	MaxRecipients    = 1000        // age recipients of one snapshot
	MaxManifestBytes = 32 << 20    // of a manifest or ledger record as stored
	MaxPageBytes     = 16 << 20    // of a page, plain and as stored
	SummaryBytes     = 4 << 10     // the summary is within this many first bytes of a manifest
	MaxInline        = 250         // file entries in the manifest itself
	MinPage          = 250         // minimum number of entries in a page
	MaxPage          = 1000        // maximum number of entries in a page
	BundlePart       = 256 << 10   // parts of this stored size or less may be bundled
	MaxBundle        = 16 << 20    // stored bytes of one bundle
)

// Archive is the content of archive.json, which identifies the archive. It is created once.
type Archive struct {
	Format  string    `json:"format"`
	ID      string    `json:"id"` // UUIDv4
	Created time.Time `json:"created"`
	Layout  string    `json:"layout"` // the same for all snapshots of the archive
}

// Ref identifies a manifest by its number and the SHA-256 of its stored bytes.
type Ref struct {
	Sequence int64 `json:"sequence"`
	SHA256   Hash  `json:"sha256"`
}

// Point is a position in the log: the last file of a snapshot and its size in bytes.
type Point struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// Counts are the totals of a snapshot. Sizes are in bytes.
type Counts struct {
	Files       int64 `json:"files"`        // in the set
	Bytes       int64 `json:"bytes"`        // plain bytes of the set
	StoredBytes int64 `json:"stored_bytes"` // of all parts of the set, as stored
	Added       int64 `json:"added"`        // files with content stored for this snapshot, including a grown tail
	AddedBytes  int64 `json:"added_bytes"`  // plain bytes stored for this snapshot
	Removed     int64 `json:"removed"`      // names that only the parent has
	Changed     int64 `json:"changed"`      // files closed in both snapshots, with different content
	Damaged     int64 `json:"damaged"`      // files in the set whose entry check failed
}

// Summary is the part of a manifest that a listing shows: all fields except recipients, pages and
// files. It is within the first SummaryBytes. Its Notes are optional.
type Summary struct {
	Format            string    `json:"format"`
	Archive           string    `json:"archive"`
	Sequence          int64     `json:"sequence"`
	Created           time.Time `json:"created"` // the instant of the capture, UTC
	Parent            *Ref      `json:"parent"`
	Node              string    `json:"node"`
	Tool              string    `json:"tool"`
	Layout            string    `json:"layout"`
	ConsistentThrough *Point    `json:"consistent_through"`
	Counts            Counts    `json:"counts"`
	DurationMS        int64     `json:"duration_ms"` // from capture to commit, milliseconds

	Notes
}

// Manifest is one snapshot. As stored, either Pages or Files has the file entries, never both. A
// caller that reads pages may set Files to the entries of all of them, or of some whole pages. Such
// a manifest cannot be encoded.
type Manifest struct {
	Summary
	Recipients []string  `json:"recipients,omitempty"` // age public keys, if parts are encrypted
	Pages      []PageRef `json:"pages"`
	Files      []File    `json:"files"`

	// Unknown is set by DecodeManifest if a field is unknown, which a newer program wrote. A
	// caller that deletes objects must then delete none. It covers Files, but not the entries in
	// pages, which have their own Unknown.
	Unknown bool `json:"-"`
}

// PageRef identifies a page: consecutive file entries in a separate object.
type PageRef struct {
	Object string     `json:"object"`
	SHA256 Hash       `json:"sha256"` // of the plain JSON Lines
	Stored StoredSums `json:"stored"` // of the zstd-compressed bytes
	Count  int        `json:"count"`
	First  string     `json:"first"`
	Last   string     `json:"last"`
}

// State is whether a file was closed or still being written at capture.
type State string

// The states of a file entry.
const (
	Closed State = "closed"
	Tail   State = "tail" // the beginning of the file that was being written
)

// File is the entry of one log file.
type File struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	SHA256   Hash      `json:"sha256"` // of the whole plain content
	Parts    []Part    `json:"parts"`
	Snapshot int64     `json:"snapshot"` // number of the first snapshot with this content
	State    State     `json:"state"`
	Check    *Check    `json:"check"`

	// Unknown is set if the entry was decoded with an unknown field; see Manifest.Unknown.
	Unknown bool `json:"-"`
}

// The encodings of a part.
const (
	Plain   = ""
	Zstd    = "zstd"
	Age     = "age"
	ZstdAge = "zstd+age" // compressed, then encrypted
)

// Part is a section of a file and the object that stores its content.
type Part struct {
	Object   string     `json:"object"` // key of a data object or of a bundle
	Size     int64      `json:"size"`   // of the plain content, in bytes
	SHA256   Hash       `json:"sha256"` // of the plain content
	Encoding string     `json:"encoding"`
	Stored   StoredSums `json:"stored"`
}

// StoredSums has the size and the checksums of stored bytes.
type StoredSums struct {
	Size   int64  `json:"size"`
	SHA256 Hash   `json:"sha256,omitzero"` // absent if the content is not encoded: it is that of the plain content
	CRC32C CRC32C `json:"crc32c"`
	MD5    string `json:"md5,omitempty"`    // 32 hex digits, only if the provider stores no other checksum
	Offset *int64 `json:"offset,omitempty"` // of the bytes in a bundle; only for parts in a bundle
}

// The results of an entry check.
const (
	CheckOK      = "ok"
	CheckDamaged = "damaged"
)

// Check is the result of a file's entry check.
type Check struct {
	By      string `json:"by"` // the entry reader, "je" or "noxu"
	Entries int64  `json:"entries"`
	Result  string `json:"result"`
	At      *int64 `json:"at,omitempty"` // offset of the damage in bytes
	Why     string `json:"why,omitempty"`

	// The values that later backups compare: whether the next file follows this one, and whether
	// entries of this file were changed in place.
	Last      int64 `json:"last,omitempty"`      // offset of the last whole valid entry
	Previous  int64 `json:"previous,omitempty"`  // from the header: offset of the last entry in the previous file
	Invisible int64 `json:"invisible,omitempty"` // entries that were rolled back, in place
	Erased    int64 `json:"erased,omitempty"`    // entries that were erased, in place
}

// Damaged reports whether the entry check found the file damaged.
func (f *File) Damaged() bool { return f.Check != nil && f.Check.Result == CheckDamaged }

// Record is one record of the ledger: the snapshots that are kept, and those that are held.
type Record struct {
	Format  string     `json:"format"`
	Archive string     `json:"archive"`
	Number  int64      `json:"number"`
	Parent  *RecordRef `json:"parent"`
	Created time.Time  `json:"created"`
	Why     string     `json:"why"`
	Newest  int64      `json:"newest"` // the newest manifest when the record was written; 0 if there was none
	Kept    []Kept     `json:"kept"`   // in ascending order

	// Removed has, in ascending order, the snapshots that this record drops and, above Newest,
	// those that a copy leaves out and never creates.
	Removed []int64 `json:"removed"`

	Accepted []Guard `json:"accepted,omitempty"` // guards that an operator accepted for the record

	// Void has, in ascending order, numbers above Newest that no snapshot ever has. Something that
	// counts for nothing was found under each. Every later record repeats such a number until its own
	// Newest is as great.
	Void []int64 `json:"void,omitempty"`

	// Unknown is set by DecodeRecord if a field is unknown, which a newer program wrote. A new
	// record that is planned from this one would lose the field.
	Unknown bool `json:"-"`
}

// RecordRef identifies a ledger record by its number and the SHA-256 of its stored bytes.
type RecordRef struct {
	Number int64 `json:"number"`
	SHA256 Hash  `json:"sha256"`
}

// Kept is a snapshot that the ledger keeps.
type Kept struct {
	Ref
	Held string `json:"held,omitempty"` // the reason of a hold; "" if the snapshot is not held
}
