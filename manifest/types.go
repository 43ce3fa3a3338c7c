package manifest

import "time"

// The values of the "format" field of the JSON objects in an archive. Format2 marks what
// names an object by a key with a nonce, which version 1 does not have, and the archive.json
// of an archive that begins encrypted.
const (
	Format  = "strongroom/1"
	Format2 = "strongroom/2"
)

// Limits of the format. A reader refuses what exceeds them, before anything is
// allocated by what the input claims.
const (
	MaxSequence      = 999_999_999 // nine digits in a key
	MaxFileSize      = 5 << 40     // 5 TiB, the largest object of S3
	MaxNodeBytes     = 255         // of "node", and of "tool" and "layout" alike
	MaxElementBytes  = 200         // of one element of an encoded name
	MaxNameBytes     = 512         // of a whole encoded name
	MaxTailParts     = 64          // a tail of more parts is stored whole again
	MaxRecipients    = 1000        // age recipients of one snapshot
	MaxManifestBytes = 32 << 20    // of a manifest or ledger record as stored
	MaxPageBytes     = 16 << 20    // of a page, plain and as stored
	SummaryBytes     = 4 << 10     // everything that a listing shows comes this early
	MaxInline        = 250         // file entries that stand in the manifest itself
	MinPage          = 250         // entries in a page, at the least
	MaxPage          = 1000        // and at the most
	BundlePart       = 256 << 10   // parts of this stored size or less may be bundled
	MaxBundle        = 16 << 20    // stored bytes of one bundle
)

// Archive is archive.json: who the archive belongs to. It is created once.
type Archive struct {
	Format  string    `json:"format"`
	ID      string    `json:"id"` // UUIDv4
	Created time.Time `json:"created"`
	Layout  string    `json:"layout"` // fixed for the life of the archive
}

// Ref names a manifest by number and by the SHA-256 of its bytes as stored.
type Ref struct {
	Sequence int64 `json:"sequence"`
	SHA256   Hash  `json:"sha256"`
}

// Point is a place in the log: the last file of a snapshot and how much of it.
type Point struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// Counts are the totals of a snapshot. Sizes are in bytes.
type Counts struct {
	Files       int64 `json:"files"`        // in the set
	Bytes       int64 `json:"bytes"`        // plain bytes of the set
	StoredBytes int64 `json:"stored_bytes"` // of all parts of the set, as stored
	Added       int64 `json:"added"`        // files with content stored for this snapshot, a grown tail too
	AddedBytes  int64 `json:"added_bytes"`  // plain bytes stored for this snapshot
	Removed     int64 `json:"removed"`      // names in the parent and not here
	Changed     int64 `json:"changed"`      // closed in both under one name, with other content
	Damaged     int64 `json:"damaged"`      // in the set, whose entry check failed
}

// Summary is what a listing shows of a snapshot: all of a manifest but its
// recipients, pages and files. It lies within the first SummaryBytes. Its Notes
// are optional.
type Summary struct {
	Format            string    `json:"format"`
	Archive           string    `json:"archive"`
	Sequence          int64     `json:"sequence"`
	Created           time.Time `json:"created"` // when the capture was consistent, UTC
	Parent            *Ref      `json:"parent"`
	Node              string    `json:"node"`
	Tool              string    `json:"tool"`
	Layout            string    `json:"layout"`
	ConsistentThrough *Point    `json:"consistent_through"`
	Counts            Counts    `json:"counts"`
	DurationMS        int64     `json:"duration_ms"` // from capture to commit, milliseconds

	Notes
}

// Manifest is one snapshot. Either Pages or Files holds the file entries as
// stored, never both: who reads the pages may put their entries into Files, but such
// a manifest does not encode again.
type Manifest struct {
	Summary
	Recipients []string  `json:"recipients,omitempty"` // age public keys, when parts are encrypted
	Pages      []PageRef `json:"pages"`
	Files      []File    `json:"files"`

	// Unknown is set by DecodeManifest when a newer program wrote a field that
	// this one does not know: who deletes must then leave everything alone. It
	// covers Files, but not the entries in pages: these have an Unknown of their own.
	Unknown bool `json:"-"`
}

// PageRef names a page: a run of file entries in an object of its own.
type PageRef struct {
	Object string     `json:"object"`
	SHA256 Hash       `json:"sha256"` // of the plain JSON Lines
	Stored StoredSums `json:"stored"` // of the zstd-compressed bytes
	Count  int        `json:"count"`
	First  string     `json:"first"`
	Last   string     `json:"last"`
}

// State says whether a file was closed or still being written at capture.
type State string

// The states of a file entry.
const (
	Closed State = "closed"
	Tail   State = "tail" // the beginning of the file that the database was writing
)

// File is the entry of one log file.
type File struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	SHA256   Hash      `json:"sha256"` // of the plain content, all parts end to end
	Parts    []Part    `json:"parts"`
	Snapshot int64     `json:"snapshot"` // the sequence that first held this content
	State    State     `json:"state"`
	Check    *Check    `json:"check"`

	// Unknown is set when the entry was read with a field that this program does
	// not know; see Manifest.Unknown.
	Unknown bool `json:"-"`
}

// The encodings of a part.
const (
	Plain   = ""
	Zstd    = "zstd"
	Age     = "age"
	ZstdAge = "zstd+age" // compressed, then encrypted
)

// Part is a stretch of a file and where its content lies.
type Part struct {
	Object   string     `json:"object"` // key of a data object or of a bundle
	Size     int64      `json:"size"`   // plain
	SHA256   Hash       `json:"sha256"` // plain
	Encoding string     `json:"encoding"`
	Stored   StoredSums `json:"stored"`
}

// StoredSums describes bytes as they lie in the store.
type StoredSums struct {
	Size   int64  `json:"size"`
	SHA256 Hash   `json:"sha256,omitzero"` // absent where nothing was encoded: it is the plain one
	CRC32C CRC32C `json:"crc32c"`
	MD5    string `json:"md5,omitempty"`    // 32 hex digits, only where the provider holds no other checksum
	Offset *int64 `json:"offset,omitempty"` // only in a bundle: where the bytes begin
}

// The results of an entry check.
const (
	CheckOK      = "ok"
	CheckDamaged = "damaged"
)

// Check is what a log's own entry checksums said of a file.
type Check struct {
	By      string `json:"by"` // the entry reader, "je" or "noxu"
	Entries int64  `json:"entries"`
	Result  string `json:"result"`
	At      *int64 `json:"at,omitempty"` // with damage: offset in bytes
	Why     string `json:"why,omitempty"`

	// What a later snapshot goes by: whether the next file follows this one, and what
	// has been done to this one since.
	Last      int64 `json:"last,omitempty"`      // offset of the last whole valid entry
	Previous  int64 `json:"previous,omitempty"`  // by the file's header: of the last entry in the file before this one
	Invisible int64 `json:"invisible,omitempty"` // entries that were rolled back, in place
	Erased    int64 `json:"erased,omitempty"`    // entries that were erased, in place
}

// Damaged reports whether the entry check found the file damaged.
func (f *File) Damaged() bool { return f.Check != nil && f.Check.Result == CheckDamaged }

// Record is one record of the ledger: which snapshots are kept and which are held.
type Record struct {
	Format  string     `json:"format"`
	Archive string     `json:"archive"`
	Number  int64      `json:"number"`
	Parent  *RecordRef `json:"parent"`
	Created time.Time  `json:"created"`
	Why     string     `json:"why"`
	Newest  int64      `json:"newest"` // the newest manifest when the record was written; 0: there was none
	Kept    []Kept     `json:"kept"`   // in ascending order

	// Removed are the snapshots that this record drops and, above Newest, those that a copy
	// leaves out: there will be none of that number. In ascending order.
	Removed []int64 `json:"removed"`

	Accepted []Guard `json:"accepted,omitempty"` // guards that an operator accepted for it

	// Unknown is set by DecodeRecord when a newer program wrote a field that this
	// one does not know, and that a record planned from this one would lose.
	Unknown bool `json:"-"`
}

// RecordRef names a ledger record by number and by the SHA-256 of its bytes.
type RecordRef struct {
	Number int64 `json:"number"`
	SHA256 Hash  `json:"sha256"`
}

// Kept is a snapshot that the ledger keeps.
type Kept struct {
	Ref
	Held string `json:"held,omitempty"` // why no retention removes it
}
