package values

// ProblemKind is what is wrong with an object. The values are those of the verification records
// (docs/format.md) and of the JSON output.
type ProblemKind string

// The kinds of problems.
const (
	ProblemMissing    ProblemKind = "missing"  // the object is not in the store
	ProblemSize       ProblemKind = "size"     // it has another size
	ProblemChecksum   ProblemKind = "checksum" // the provider holds another checksum of it
	ProblemContent    ProblemKind = "content"  // its bytes were read back and are wrong
	ProblemManifest   ProblemKind = "manifest" // a manifest or page cannot be decoded, or breaks a rule
	ProblemChain      ProblemKind = "chain"    // a manifest is not the one that its child or the ledger names
	ProblemLocalState ProblemKind = "witness"  // it differs from what the local state has
)

// Problem is one thing that is wrong with an archive.
type Problem struct {
	Object      string      `json:"object"`                 // the key
	Kind        ProblemKind `json:"what"`                   // what is wrong
	Detail      string      `json:"detail"`                 // in words
	RepairError string      `json:"repair_error,omitempty"` // why a repair of it failed, in words
	Files       []string    `json:"files,omitempty"`        // log files that need the object
	Snapshots   []int64     `json:"snapshots,omitempty"`    // snapshots that need the object, ascending
	Was         string      `json:"was,omitempty"`          // of a manifest: its SHA-256 in the local state, in hex
}
