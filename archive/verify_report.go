package archive

// VerifyOptions says how closely Verify looks, and at what.
type VerifyOptions struct {
	Snapshots []Selector // only these and what they need; none: the whole archive
	Checksums bool       // ask the provider for each object's checksum
	ReadData  bool       // fetch and hash everything: only this finds bit rot
	Sample    float64    // above 0: fetch and hash this part of the stored bytes, up to 1, what was longest not read back first

	// Proof stores what was found about the whole archive below proofs/. Without it, as with
	// Snapshots, nothing is written.
	Proof bool
	Tool  string // program name and version, for the proof

	// Repair puts back what is missing or damaged, from these places; nil: nothing is
	// changed. It goes with the whole archive.
	Repair *RepairFrom
}

// Problem is one thing that is wrong with an archive.
type Problem struct {
	Object    string   `json:"object"`              // the key
	What      string   `json:"what"`                // "missing", "size", "checksum", "content", "manifest", "chain", "witness"
	Detail    string   `json:"detail"`              // in words
	Files     []string `json:"files,omitempty"`     // log files that need it
	Snapshots []int64  `json:"snapshots,omitempty"` // that need it, ascending
	Was       string   `json:"was,omitempty"`       // of a manifest: the SHA-256 that this host has seen, in hex
}

// Damage is a log file that was damaged when it was archived.
type Damage struct {
	File      string  `json:"file"`
	Snapshots []int64 `json:"snapshots"` // that hold it, ascending
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	Snapshots     int       `json:"snapshots"`            // looked at
	Objects       int       `json:"objects"`              // that they need
	Bytes         int64     `json:"bytes"`                // stored bytes of those
	ReadObjects   int       `json:"read_objects"`         // that were fetched and hashed
	ReadBytes     int64     `json:"read_bytes"`           // plain bytes that were fetched and hashed
	ReadStored    int64     `json:"read_stored"`          // the same as stored: of bundles, all of them
	Unopened      int       `json:"unopened"`             // encrypted parts of which only the stored bytes were read, for lack of an identity
	UnopenedBytes int64     `json:"unopened_bytes"`       // plain bytes of those, whose hash was not checked
	Recipients    []string  `json:"recipients,omitempty"` // where parts were not opened: whose identities would
	Compared      int       `json:"compared"`             // objects of which the provider was asked for the checksum, and had one to compare
	Uncompared    int       `json:"uncompared"`           // of which it has none, or none is known: bundles, and stores that keep no checksums
	Unreferenced  int       `json:"unreferenced"`         // objects that no snapshot names: left by broken-off runs
	Nested        []Nested  `json:"nested"`               // archives within this one, where its objects lie; theirs are counted nowhere else
	Coverage      Coverage  `json:"coverage"`             // with Sample, ReadData or Proof, and without Snapshots
	Repaired      []Problem `json:"repaired"`             // what was wrong, and was put right
	Unproven      string    `json:"unproven,omitempty"`   // why the proof could not be stored
	Damaged       []Damage  `json:"damaged"`              // log files that were damaged when they were archived, by name
	Problems      []Problem `json:"problems"`
}
