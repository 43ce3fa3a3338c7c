package archive

// VerifyOptions are the options of Verify. The zero value checks the whole archive without reading data objects.
type VerifyOptions struct {
	Snapshots []Selector // limits Verify to these snapshots and their objects; empty means the whole archive
	Checksums bool       // request each object's checksum from the provider
	ReadData  bool       // fetch and hash everything: only this finds bit rot
	Sample    float64    // the fraction of the stored bytes to fetch and hash, the longest unread first; 0 disables it

	// Thaw makes a verify with ReadData thaw what must be thawed to be read back, and wait for that. Without it, these
	// objects are counted (VerifyReport.Unthawed) and not read.
	Thaw *ThawOptions

	// Proof stores a verification record of the whole archive below proofs/. Without it, and with Snapshots,
	// no record is written.
	Proof bool
	Tool  string // program name and version, for the verification record

	// Repair restores missing and damaged objects from these sources; nil disables it. It requires a verify of
	// the whole archive, without Snapshots.
	Repair *RepairFrom
}

// Damage is a log file that was damaged when it was archived.
type Damage struct {
	File      string  `json:"file"`
	Snapshots []int64 `json:"snapshots"` // the snapshots with this file, ascending
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	Snapshots     int       `json:"snapshots"`                // snapshots that were checked
	Objects       int       `json:"objects"`                  // objects that these snapshots need
	Bytes         int64     `json:"bytes"`                    // stored bytes of these objects
	ReadObjects   int       `json:"read_objects"`             // objects that were fetched and hashed
	ReadBytes     int64     `json:"read_bytes"`               // plain bytes that were fetched and hashed
	ReadStored    int64     `json:"read_stored"`              // stored bytes of these objects; bundles count in full
	Unopened      int       `json:"unopened"`                 // parts not decrypted for lack of an identity
	UnopenedBytes int64     `json:"unopened_bytes"`           // plain bytes of these parts; their hash was not checked
	Recipients    []string  `json:"recipients,omitempty"`     // recipients whose identities decrypt these parts
	Compared      int       `json:"compared"`                 // objects whose provider checksum was compared
	Uncompared    int       `json:"uncompared"`               // objects without a comparable checksum, such as bundles
	Frozen        int       `json:"frozen,omitempty"`         // objects that must be thawed before a restore
	FrozenClasses []string  `json:"frozen_classes,omitempty"` // the storage classes of these
	Unthawed      int       `json:"unthawed,omitempty"`       // objects that were to be read back, and must be thawed first
	Unreferenced  int       `json:"unreferenced"`             // orphans: objects that no snapshot names
	Ignored       []string  `json:"ignored,omitempty"`        // keys of manifests and records that count for nothing
	Blocked       []string  `json:"blocked,omitempty"`        // what is in the way of the next objects, in words
	Nested        []Nested  `json:"nested"`                   // archives among this one's objects; counted only here
	Coverage      Coverage  `json:"coverage"`                 // with Sample, ReadData or Proof, and without Snapshots
	Repaired      []Problem `json:"repaired"`                 // problems that a repair has repaired
	Renewed       *Renewed  `json:"renewed,omitempty"`        // the snapshot that a repair made, with lost content again
	Unproven      string    `json:"unproven,omitempty"`       // why the verification record could not be stored
	Damaged       []Damage  `json:"damaged"`                  // log files that were damaged when archived, by name
	Problems      []Problem `json:"problems"`
}
